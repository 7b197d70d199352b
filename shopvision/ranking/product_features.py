"""Price, category, stock, age, embedding and title of products from our tables, cached."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from django.core.exceptions import FieldError
from django.db.models import Min, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast
from django.utils import timezone

from .. import conf, metrics, timestamps
from ..catalogue.adapter import Catalogue, catalogues
from ..catalogue.field_paths import with_keys
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..indexing.encoder_releases import LiveRelease
from ..types import ProductRef


def ages_days(shop: Catalogue, object_ids: Sequence[str]) -> dict[str, float]:
    """By key, days since products came into the shop; empty where the adapter's ``added`` names no field."""
    if not shop.added:
        return {}
    light = shop.queryset().select_related(None).prefetch_related(None).order_by()
    try:
        rows = with_keys(light, shop.python_keys(object_ids)).values_list("pk", shop.added)
    except FieldError:
        metrics.count("added_failed")
        metrics.log.warning("%s.added = %r is no field", type(shop).__name__, shop.added)
        return {}
    now = timezone.now()
    return {str(pk): _days(moment, now) for pk, moment in rows if isinstance(moment, date)}


def _days(moment: Any, now: datetime) -> float:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, datetime.min.time())
    return max(0.0, float((now - timestamps.as_kept(moment)).total_seconds()) / timestamps.SECONDS_A_DAY)


KEEP_SECONDS = 30.0  # price and stock on a page are the shop's of now; these only order it
MOST_KEPT = 20_000  # about 25 MB


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


class Fact(NamedTuple):
    """Of one product, the same as a shelf's columns."""

    entry: int
    price: float
    in_stock: bool
    category: int
    name: str
    age_days: float
    look: np.ndarray | None


UNKNOWN = Fact(-1, np.nan, True, -1, "", np.nan, None)


class Kept:
    """Facts that this process read a moment ago; only whole ones, so that what is new is looked for each time."""

    def __init__(self, seconds: float = KEEP_SECONDS, most: int = MOST_KEPT) -> None:
        self.seconds = seconds
        self.most = most
        self._facts: dict[tuple[str, ProductRef], tuple[float, Fact]] = {}

    def get(self, release: str, refs: Iterable[ProductRef]) -> dict[ProductRef, Fact]:
        """Those that are not too old."""
        since, found = time.monotonic() - self.seconds, {}
        for ref in refs:
            kept = self._facts.get((release, ref))
            if kept is not None and kept[0] >= since:
                found[ref] = kept[1]
        return found

    def put(self, release: str, facts: Mapping[ProductRef, Fact]) -> None:
        """Keep some; when there are too many, all the others give way."""
        if len(self._facts) + len(facts) > self.most:
            self._facts = {}
        now = time.monotonic()
        for ref, fact in facts.items():
            if fact.look is not None:
                self._facts[release, ref] = (now, fact)


kept = Kept()


def shelf_of(refs: Sequence[ProductRef], live: LiveRelease | None) -> Shelf:
    """The facts of some products; what is not at hand takes two light queries per catalogue, and one for photos."""
    release = live.row.digest if live is not None else ""
    known = kept.get(release, refs) if conf.ENGINE != "immediate" else {}
    missing = [ref for ref in dict.fromkeys(refs) if ref not in known]
    if missing:
        read = _read(missing, live)
        kept.put(release, read)
        known |= read
    facts = [known.get(ref, UNKNOWN) for ref in refs]
    return Shelf(
        np.array([one.price for one in facts], np.float32),
        np.array([one.category for one in facts], np.int32),
        np.array([one.in_stock for one in facts], bool),
        np.array([one.age_days for one in facts], np.float32),
        np.array([one.entry for one in facts], np.int64),
        tuple(one.name for one in facts),
        _stacked([one.look for one in facts], live.row.dim) if live is not None else None,
    )


def _stacked(looks: Sequence[np.ndarray | None], dim: int) -> np.ndarray:
    out = np.zeros((len(looks), dim), np.float32)
    for place, look in enumerate(looks):
        if look is not None:
            out[place] = look
    return out


def _read(refs: Sequence[ProductRef], live: LiveRelease | None) -> dict[ProductRef, Fact]:
    keys: dict[str, list[str]] = {}
    for ref in refs:
        keys.setdefault(ref.source, []).append(ref.object_id)
    rows = {source: list(_rows(source, wanted)) for source, wanted in keys.items()}
    looks = _looks([row[0] for found in rows.values() for row in found], live)
    facts = {}
    for source, found in rows.items():
        shop = catalogues().get(source)
        ages = ages_days(shop, [row[1] for row in found]) if shop is not None else {}
        for pk, key, price, in_stock, texts in found:
            code, name = _category(texts)
            facts[ProductRef(source, key)] = Fact(
                pk,
                np.nan if price is None else float(price),
                in_stock,
                code,
                name,
                ages.get(key, np.nan),
                looks.get(pk),
            )
    return facts


def _rows(source: str, keys: Sequence[str]) -> Any:
    rows = CatalogueEntry.objects.filter(source=source, object_id__in=keys)
    return rows.values_list("pk", "object_id", "price", "in_stock", Cast("categories", TextField()))


@lru_cache(maxsize=4096)
def _category(text: str) -> tuple[int, str]:
    """A number that stands for the first category's id, and its name."""
    found = json.loads(text)
    return (zlib.crc32(found[0]["id"].encode()) & 0x7FFFFFFF, found[0]["name"]) if found else (-1, "")


def _looks(entries: Sequence[int], live: LiveRelease | None) -> dict[int, np.ndarray]:
    """Vector of each entry's first usable photo."""
    if live is None or not entries:
        return {}
    listed = RawSQL(",".join(map(str, entries)), ())  # noqa: S611 - our own whole numbers; see catalogue.keys
    images = CatalogueImage.objects.filter(state=CatalogueImage.State.INDEXED, entry_id__in=listed)
    leads = dict(images.order_by().values_list("entry_id").annotate(Min("pk")))
    vectors = live.index.vectors(list(leads.values()), timeout_s=conf.RANKING["budget_ms"] / 1000)
    return {entry: vectors[image] for entry, image in leads.items() if image in vectors}
