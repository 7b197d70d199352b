"""Compare the shop with the mirror and queue the differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .. import metrics
from ..types import ProductRef
from . import outbox
from .adapter import Catalogue, catalogues
from .categories import looked_up_once
from .mirror import fingerprint, image_names
from .models import CatalogueEntry, Outbox

PAGE = 500  # products compared at a time


@dataclass(slots=True)
class Drift:
    """How the shop's tables and our projection differ; all empty when they agree.

    Args:
        missing: products of the shop we do not know.
        stale: products that changed since we looked.
        extra: entries whose product is gone.
    """

    missing: list[ProductRef] = field(default_factory=list)
    stale: list[ProductRef] = field(default_factory=list)
    extra: list[ProductRef] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Products that differ."""
        return len(self.missing) + len(self.stale) + len(self.extra)

    def refs(self) -> list[ProductRef]:
        """All of them."""
        return [*self.missing, *self.stale, *self.extra]


def drift() -> Drift:
    """Compare every product with its projection by fingerprint, a page at a time."""
    found = Drift()
    for part in _parts():
        found.missing += part.missing
        found.stale += part.stale
        found.extra += part.extra
    return found


def reconcile() -> Drift:
    """Queue every product that differs and is not queued yet; all that differ. Safe to run at any time."""
    found = Drift()
    for part in _parts():
        outbox.record_changes(_unqueued(part.refs()))
        found.missing += part.missing
        found.stale += part.stale
        found.extra += part.extra
    return found


def _unqueued(refs: list[ProductRef]) -> list[ProductRef]:
    """Those without a row in the outbox that waits, or was set aside and would only be set aside again."""
    rows = Outbox.objects.filter(
        source__in={r.source for r in refs}, object_id__in={r.object_id for r in refs}
    )
    queued = {ProductRef(*pair) for pair in rows.filter(lease="").values_list("source", "object_id")}
    return [ref for ref in refs if ref not in queued]


def _parts() -> Iterator[Drift]:
    for adapter in catalogues().values():
        for products in _pages(adapter):
            with looked_up_once():
                part = _compare(adapter, products)
            yield part
    yield from _gone()


def _pages(adapter: Catalogue) -> Iterator[list[Any]]:
    """Products in the order of their keys, ``PAGE`` at a time, each page by its own query."""
    queryset, last = adapter.queryset().order_by("pk"), None
    while True:
        page = list((queryset if last is None else queryset.filter(pk__gt=last))[:PAGE])
        if not page:
            return
        last = page[-1].pk
        yield page


def _compare(adapter: Catalogue, products: list[Any]) -> Drift:
    keys = {adapter.object_id(product): product for product in products}
    rows = CatalogueEntry.objects.filter(source=adapter.source, object_id__in=keys)
    known = dict(rows.values_list("object_id", "fingerprint"))
    found = Drift()
    for key, product in keys.items():
        ref = ProductRef(adapter.source, key)
        if key not in known:
            found.missing.append(ref)
        elif known[key] != _fingerprint(adapter, product):
            found.stale.append(ref)
    return found


def _fingerprint(adapter: Catalogue, product: Any) -> str:
    """Empty, and so never equal, where the shop's own code fails on the product: it must not hide the others."""
    try:
        return fingerprint(adapter.facts(product), image_names(adapter, product))
    except Exception as error:  # noqa: BLE001 - the shop's own code may raise anything
        metrics.log.warning("product %s could not be compared", adapter.ref(product), exc_info=error)
        return ""


def _gone() -> Iterator[Drift]:
    """Entries whose product, or whose whole catalogue, is no longer there."""
    last = 0
    while True:
        page = list(
            CatalogueEntry.objects.filter(pk__gt=last).order_by("pk").only("source", "object_id")[:PAGE]
        )
        if not page:
            return
        last = page[-1].pk
        by_source: dict[str, list[str]] = {}
        for entry in page:
            by_source.setdefault(entry.source, []).append(entry.object_id)
        yield Drift(extra=[ref for source, keys in by_source.items() for ref in _absent(source, keys)])


def _absent(source: str, keys: list[str]) -> list[ProductRef]:
    adapter = catalogues().get(source)
    there = set(adapter.existing(keys)) if adapter else set()
    return [ProductRef(source, key) for key in keys if key not in there]
