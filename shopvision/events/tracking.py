"""Record events from the shop's views: never raises, never waits for the database."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from rest_framework.request import Request

from .. import metrics
from ..catalogue.adapter import catalogue_of, catalogues
from ..catalogue.visibility import by_source
from ..types import Ordering, ProductRef, Subject
from .models import Kind
from .record import NewEvent, Recorded, record_events


@dataclass(frozen=True, slots=True)
class Shown:
    """A listing a page shows: an id under which clicks find it, and the position of each product.

    Args:
        id: 32 hexadecimal digits.
        positions: from 0 over all pages, by product reference.
    """

    id: str
    positions: Mapping[str, int]

    def attributes(self) -> SafeString:
        """For the element around the cards, so that the beacon's script knows the listing."""
        return format_html('data-shopvision-listing="{}"', self.id)

    def item(self, product: Any) -> SafeString:
        """For a card's own element, so that a click on it is joined to the listing."""
        ref = str(ref_of(product) or "")
        place = self.positions.get(ref)
        if place is None:
            return SafeString("")
        return format_html('data-shopvision-product="{}" data-shopvision-position="{}"', ref, place)


def ref_of(product: Any) -> ProductRef | None:
    """The reference of a product in any form we hand out or take: row, reference, text, hit, result."""
    if isinstance(product, ProductRef):
        return product
    if isinstance(product, str):
        return ProductRef.parse(product)
    if isinstance(product, Mapping):
        return ref_of(product.get("product"))
    if isinstance(getattr(product, "product", None), ProductRef):
        return ref_of(product.product)
    meta = getattr(product, "_meta", None)
    shop = catalogue_of(meta.model) if meta is not None else None
    return shop.ref(product) if shop is not None else None


def record(
    request: HttpRequest | Request | None,
    kind: str,
    product: Any = None,
    *,
    subject: Subject | None = None,
    **more: Any,
) -> Recorded:
    """Say that a visitor did something.

    Args:
        request: the visitor's; None outside a request, with ``subject``.
        kind: one of ``events.models.Kind``: "view", "basket_add", ...
        product: a row of the shop's, a reference, a search hit.
        more: of ``NewEvent``: ``listing``, ``position``, ``value``, ``text``, ``key``, ``at``.
    """
    try:
        more["listing"] = str(more.get("listing") or "").replace("-", "")  # a UUID in either spelling
        event = NewEvent(kind, ref_of(product) if product is not None else None, **more)
    except Exception:  # noqa: BLE001 - a wrong call is logged; the shop's page goes on
        metrics.count("events_failed")
        metrics.log.exception("a %s of %r could not be recorded", kind, product)
        return Recorded(dropped=1)
    return record_events([event], request=request, subject=subject)


def record_listing(
    request: HttpRequest | Request | None,
    products: Iterable[Any],
    *,
    start: int = 0,
    listing: str = "",
    propensities: Sequence[float | None] | None = None,
) -> Shown:
    """Say that a page shows these products in this order.

    Args:
        products: in order; a page of a re-ordered listing brings its id, positions and odds along.
        start: position of the first, on later pages of a listing.
        listing: id of the listing, if it has one already (a search's).
        propensities: with which probability a ranker put each where it is, if it chose at random.
    """
    shown = Shown(listing.replace("-", "") or uuid.uuid4().hex, {})
    try:
        ranked: Ordering | None = ordering_of(products)
        refs = [ref for ref in map(ref_of, products) if ref is not None]
        places: Sequence[int] = range(start, start + len(refs))
        if ranked is not None and len(ranked.positions) == len(refs) and not listing:
            shown, places, propensities = Shown(ranked.listing, {}), ranked.positions, ranked.propensities
        shown = Shown(shown.id, dict(zip(map(str, refs), places, strict=True)))
        odds = propensities or [None] * len(refs)
        events = [
            NewEvent(
                Kind.IMPRESSION,
                ref,
                listing=shown.id,
                position=place,
                propensity=chance,
                key=impression_key(shown.id, place),
            )
            for ref, place, chance in zip(refs, places, odds, strict=True)
        ]
    except Exception:  # noqa: BLE001 - as above
        metrics.count("events_failed")
        metrics.log.exception("a listing could not be recorded")
        return shown
    if request is not None and events:
        record_events(events, request=request)
    return shown


def ordering_of(products: Any) -> Ordering | None:
    """How a page's products came to their order; None where the shop's own order was kept."""
    found = getattr(getattr(products, "object_list", products), "ordering", None)
    return found if isinstance(found, Ordering) else None


def existing(refs: Iterable[ProductRef]) -> frozenset[str]:
    """Which of these products the shop has, one light query a catalogue.

    While the database does not answer, every product of a catalogue counts as there: recording goes on.
    """
    found: set[str] = set()
    for source, keys in by_source(refs).items():
        try:
            there = catalogues()[source].existing(keys)
        except DatabaseError:
            metrics.log.warning("products of %s cannot be looked up", source, exc_info=True)
            there = keys
        found.update(str(ProductRef(source, key)) for key in there)
    return frozenset(found)


def titles(refs: Iterable[ProductRef]) -> dict[str, str]:
    """Titles as the shop has them now, by reference; products that are gone are left out."""
    known = catalogues()
    return {
        str(ProductRef(source, key)): known[source].title_of(product)
        for source, keys in by_source(refs).items()
        for key, product in known[source].get_many(keys).items()
    }


def impression_key(listing: str, position: int) -> str:
    """One impression is one, whether the server or the browser reports it."""
    return f"i:{listing}:{position}"
