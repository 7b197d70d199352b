"""Shelf: what we know of some products without asking the shop: price, category, stock, age, looks, words."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from django.db.models import Min, TextField
from django.db.models.functions import Cast

from ..catalogue.adapter import catalogues
from ..catalogue.ages import ages_days
from ..catalogue.keys import with_keys
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..indexing.releases import LiveRelease
from ..types import ProductRef


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Facts of products in the order asked for; nan, -1, "" or a row of zeros where there is none.

    Args:
        prices, ages_days: float32 (N,). categories: int32 (N,), equal where the first category is the same.
        in_stock: bool (N,). entries: primary keys of their CatalogueEntry, int64 (N,).
        names: of the first category.
        looks: unit vector of the lead photo, float32 (N, D); None without an index.
    """

    prices: np.ndarray
    categories: np.ndarray
    in_stock: np.ndarray
    ages_days: np.ndarray
    entries: np.ndarray
    names: tuple[str, ...]
    looks: np.ndarray | None

    def __len__(self) -> int:
        return len(self.prices)


def shelf_of(refs: Sequence[ProductRef], live: LiveRelease | None) -> Shelf:
    """The facts of some products, two light queries per catalogue and one for their photos."""
    places: dict[str, dict[str, list[int]]] = {}
    for place, ref in enumerate(refs):
        places.setdefault(ref.source, {}).setdefault(ref.object_id, []).append(place)
    count = len(refs)
    prices, ages = np.full(count, np.nan, np.float32), np.full(count, np.nan, np.float32)
    categories, entries = np.full(count, -1, np.int32), np.full(count, -1, np.int64)
    in_stock, names = np.ones(count, bool), [""] * count
    for source, wanted in places.items():
        for pk, key, price, stock, texts in _rows(source, list(wanted)):
            code, name = _category(texts)
            for place in wanted[key]:
                entries[place], in_stock[place] = pk, stock
                prices[place] = np.nan if price is None else float(price)
                categories[place], names[place] = code, name
        shop = catalogues().get(source)
        for key, days in (ages_days(shop, list(wanted)) if shop is not None else {}).items():
            ages[wanted[key]] = days
    return Shelf(prices, categories, in_stock, ages, entries, tuple(names), _looks(entries, live))


def _rows(source: str, keys: Sequence[str]) -> Any:
    rows = CatalogueEntry.objects.filter(source=source, object_id__in=keys)
    return rows.values_list("pk", "object_id", "price", "in_stock", Cast("categories", TextField()))


@lru_cache(maxsize=4096)
def _category(text: str) -> tuple[int, str]:
    """A number that stands for the first category's id, and its name."""
    found = json.loads(text)
    return (zlib.crc32(found[0]["id"].encode()) & 0x7FFFFFFF, found[0]["name"]) if found else (-1, "")


def _looks(entries: np.ndarray, live: LiveRelease | None) -> np.ndarray | None:
    """Vector of each entry's first usable photo."""
    known = np.unique(entries[entries >= 0])
    if live is None or not len(known):
        return None
    leads = dict(
        with_keys(CatalogueEntry.objects.order_by(), known.tolist())
        .filter(images__state=CatalogueImage.State.INDEXED)
        .annotate(lead=Min("images__pk"))
        .values_list("pk", "lead")
    )
    vectors = live.index.vectors(list(leads.values()))
    out = np.zeros((len(entries), live.row.dim), np.float32)
    for place, entry in enumerate(entries.tolist()):
        vector = vectors.get(leads.get(entry, -1))
        if vector is not None:
            out[place] = vector
    return out
