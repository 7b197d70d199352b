"""Title, address, photo, price and stock of products, as the shop says them at answer time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..exceptions import ShopvisionError
from ..types import Filter, ProductRef
from .adapter import Catalogue, catalogues
from .visibility import by_source


def passes_now(where: Filter, facts: Mapping[str, Any]) -> bool:
    """Do the shop's price and stock of this moment still pass the filter."""
    price = facts.get("price")
    if where.price_min is not None and (price is None or price < where.price_min):
        return False
    if where.price_max is not None and (price is None or price > where.price_max):
        return False
    return where.in_stock is None or facts.get("in_stock") == where.in_stock


def facts_now(refs: Sequence[ProductRef]) -> dict[ProductRef, dict[str, Any]]:
    """What the shop says now of some products: title, url, image, price, in_stock; gone ones are left out."""
    out: dict[ProductRef, dict[str, Any]] = {}
    for source, keys in by_source(refs).items():
        shop = catalogues()[source]
        for key, product in shop.get_many(keys).items():
            out[ProductRef(source, key)] = _facts(shop, product)
    return out


def _facts(shop: Catalogue, product: Any) -> dict[str, Any]:
    files = shop.image_files(product)
    try:
        image = str(files[0].url) if files else ""
    except (ValueError, RuntimeError, ShopvisionError):  # a storage without URLs raises one of these
        image = ""
    return {
        "title": shop.title_of(product),
        "url": shop.url(product),
        "image": image,
        "price": shop.price_of(product),
        "in_stock": shop.in_stock(product),
    }
