"""Title, photos and links of products, as admin pages show them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.urls import NoReverseMatch, reverse

from ..catalogue.adapter import Catalogue, catalogues
from ..types import ProductRef


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page needs of one product; empty texts where the shop has nothing.

    Args:
        photos: addresses, the catalogue image first.
        edit: the product's page in the shop's own admin.
        page: its page in the shop.
    """

    ref: ProductRef
    title: str
    photos: tuple[str, ...] = ()
    edit: str = ""
    page: str = ""
    product: Any = None

    @property
    def photo(self) -> str:
        """The catalogue image's address."""
        return self.photos[0] if self.photos else ""


def shown(refs: Iterable[ProductRef], site: AdminSite) -> dict[ProductRef, Shown]:
    """The products by reference, in one query a catalogue; one that the shop no longer has is its key alone."""
    by_source: dict[str, list[str]] = defaultdict(list)
    wanted = list(refs)
    for ref in wanted:
        by_source[ref.source].append(ref.object_id)
    found: dict[ProductRef, Shown] = {ref: Shown(ref, str(ref)) for ref in wanted}
    for source, keys in by_source.items():
        adapter = catalogues().get(source)
        if adapter is None:
            continue
        for product in adapter.get_many(keys).values():
            one = _shown(adapter, product, site)
            found[one.ref] = one
    return found


def _shown(adapter: Catalogue, product: Any, site: AdminSite) -> Shown:
    return Shown(
        adapter.ref(product),
        adapter.title_of(product),
        tuple(_photo_urls(adapter, product)),
        edit_url(adapter, adapter.object_id(product), site),
        _page(adapter, product),
        product,
    )


def _photo_urls(adapter: Catalogue, product: Any) -> Iterable[str]:
    for file in adapter.image_files(product):
        try:
            yield str(file.url)
        except (OSError, ValueError, LookupError):
            continue


def _page(adapter: Catalogue, product: Any) -> str:
    try:
        return adapter.url(product)
    except NoReverseMatch:
        return ""


def edit_url(adapter: Catalogue, object_id: str, site: AdminSite) -> str:
    """The product's page in this admin site; empty when the shop does not show its products there."""
    if adapter.model not in site._registry:
        return ""
    meta = adapter.model._meta
    try:
        return reverse(
            f"{site.name}:{meta.app_label}_{meta.model_name}_change", args=[object_id], current_app=site.name
        )
    except NoReverseMatch:
        return ""
