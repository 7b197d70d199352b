"""A folder of events as the ranking evaluation reads it, and the listings that its baskets answer."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TextIO

import numpy as np

from bench.catalogue_folder import read_csv
from shopvision.exceptions import InvalidRequest
from shopvision.ranking.interactions import KINDS, Facts, Interactions
from shopvision.ranking.training.examples import Answered, Past
from shopvision.timestamps import SECONDS_A_DAY

LISTING = 200  # products of a listing
MOST_CHOSEN = 5  # of a basket; the rest of it is neither right nor wrong
ON_SALE_DAYS = 90  # a product without a sale for longer is not listed
BANDS, SMALLEST_BAND = 4, 300
"""A listing is of one price band, as of a category: a quarter of what is on sale, less often of small catalogues."""
TEST_DAYS, VALIDATION_DAYS, TRAINING_DAYS, EARLIER_DAYS = 31, 31, 91, 60


@dataclass(frozen=True, slots=True, eq=False)
class Purchases:
    """A log of purchases; a visit is a subject's day.

    Args:
        log: sorted by time. facts: of all the items. quantities: pieces of each act, at least 1; float32 (n,).
    """

    log: Interactions
    facts: Facts
    quantities: np.ndarray


@dataclass(frozen=True, slots=True)
class Periods:
    """Days (since 1970) at which the parts of a log begin; the last one ends the log."""

    training: int
    validation: int
    test: int
    end: int


def read(folder: Path) -> Purchases:
    """``events.csv`` or ``events.csv.gz`` and ``products.csv`` of a folder.

    What is no act of ours (``return``) is dropped, and products without one. Where nobody buys, what is done
    most is what they want.

    Raises:
        InvalidRequest: a file is missing, or lacks a column.
    """
    rows = [row for row in _events(folder) if row["event"] in KINDS]
    if not rows:
        raise InvalidRequest(f"{folder}: the events hold none of {', '.join(KINDS)}")
    products = {row["sku"]: row for row in read_csv(folder / "products.csv") if row.get("sku")}
    met = {row["sku"] for row in rows}
    products = {sku: row for sku, row in products.items() if sku in met}
    skus = tuple(products) + tuple(dict.fromkeys(row["sku"] for row in rows if row["sku"] not in products))
    number = {sku: place for place, sku in enumerate(skus)}
    times = np.array([_seconds(row["timestamp"]) for row in rows])
    _, subjects = np.unique([row["user_id"] for row in rows], return_inverse=True)
    visits = subjects.astype(np.int64) * 1_000_000 + (times // SECONDS_A_DAY).astype(np.int64)
    log = Interactions(
        subjects.astype(np.int64),
        visits,
        np.array([number[row["sku"]] for row in rows], np.int32),
        np.array([KINDS.index(row["event"]) for row in rows], np.int8),
        times,
    )
    order = np.argsort(times, kind="stable")
    quantities = np.array([_number(row.get("quantity"), 1) for row in rows], np.float32)
    return Purchases(log.take(order), _facts(skus, products, rows, log), np.maximum(quantities, 1)[order])


def _events(folder: Path) -> Iterator[dict[str, str]]:
    path = folder / "events.csv"
    path = path if path.is_file() else folder / "events.csv.gz"
    try:
        with _opened(path) as file:
            reader = csv.DictReader(file)
            missing = {"timestamp", "user_id", "sku", "event"} - set(reader.fieldnames or ())
            if missing:
                raise InvalidRequest(f"{path}: no column {', '.join(sorted(missing))}")
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}") from error


def _opened(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="", encoding="utf-8-sig")
    return path.open(newline="", encoding="utf-8-sig")


def _seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidRequest(f"timestamp {text!r} is no ISO 8601 time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _number(text: str | None, missing: float) -> float:
    try:
        return float(text) if text else missing
    except ValueError:
        return missing


def _facts(
    skus: Sequence[str], products: dict[str, dict[str, str]], rows: list[dict[str, str]], log: Interactions
) -> Facts:
    """Titles, prices, categories; a product came into the shop when it was first sold."""
    known = [products.get(sku, {}) for sku in skus]
    prices = np.array([_number(one.get("price") or one.get("median_price"), np.nan) for one in known])
    paid = np.array([_number(row.get("unit_price"), np.nan) for row in rows])
    for item in np.flatnonzero(np.isnan(prices)):
        own = paid[(log.items == item) & ~np.isnan(paid)]
        prices[item] = np.median(own) if len(own) else np.nan
    names = [one.get("category", "") for one in known]
    _, categories = np.unique(names, return_inverse=True)
    since = np.full(len(skus), np.inf)
    np.minimum.at(since, log.items, log.times)
    return Facts(
        tuple(skus),
        [f"{one.get('title', '')} {one.get('description', '')}".strip() for one in known],
        prices.astype(np.float32),
        np.where([bool(name) for name in names], categories, -1).astype(np.int32),
        np.where(np.isinf(since), np.nan, since),
    )


def periods(log: Interactions) -> Periods:
    """The last 31 days test, the 31 before them validate, the 91 before those train; shorter logs in proportion."""
    days = (log.times // SECONDS_A_DAY).astype(int)
    end = int(days.max()) + 1
    span = end - int(days.min())
    scale = min(1.0, span / (TEST_DAYS + VALIDATION_DAYS + TRAINING_DAYS + EARLIER_DAYS))
    test = end - max(1, round(TEST_DAYS * scale))
    validation = test - max(1, round(VALIDATION_DAYS * scale))
    return Periods(validation - max(1, round(TRAINING_DAYS * scale)), validation, test, end)


class Baskets:
    """The baskets of a log: what a subject bought in a day; and the listings they might have been chosen from."""

    def __init__(self, data: Purchases) -> None:
        self._data = data
        bought = KINDS.index("purchase")
        kinds = data.log.kinds
        wanted = kinds == (bought if (kinds == bought).any() else np.bincount(kinds).argmax())
        self._bought = data.log.take(wanted)
        self._days = (self._bought.times // SECONDS_A_DAY).astype(int)
        self._past = Past(self._bought, data.facts)
        self._prices = np.full(len(data.facts.items), np.nan)
        if data.facts.prices is not None:
            self._prices = data.facts.prices.astype(float)

    def listings(
        self, start: int, end: int, *, new_only: bool, first: bool, seed: int, most: int | None = None
    ) -> list[Answered]:
        """Listings of the returning subjects' baskets of some days, one a basket, sorted by day.

        200 products of one price band with a sale in the last 90 days: one to five of the basket, the others
        drawn; the rest of the basket is left out.

        Args:
            start, end: days since 1970; the end is not among them.
            new_only: only products that the subject never bought before, right ones and others.
            first: only each subject's first basket of these days.
            seed: of what is drawn.
            most: baskets, drawn; None takes all.
        """
        rng = np.random.default_rng(seed)
        inside = np.flatnonzero((self._days >= start) & (self._days < end))
        keys = np.unique(np.stack([self._days[inside], self._bought.subjects[inside]]), axis=1)
        if first:
            _, place = np.unique(keys[1], return_index=True)
            keys = keys[:, np.sort(place)]
        if most is not None and most < keys.shape[1]:
            keys = keys[:, np.sort(rng.choice(keys.shape[1], most, replace=False))]
        found = (self._listing(int(day), int(subject), new_only, rng) for day, subject in keys.T)
        return [one for one in found if one is not None]

    def _listing(self, day: int, subject: int, new_only: bool, rng: np.random.Generator) -> Answered | None:
        at = day * SECONDS_A_DAY
        before = self._past.rows(subject, at)
        if before.start == before.stop:
            return None
        today = self._past.rows(subject, at + SECONDS_A_DAY)
        acts = self._past.acts
        basket = np.unique(acts.items[before.stop : today.stop])
        pool, bands = self._on_sale(day)
        wanted = np.isin(pool, basket)
        if new_only:
            old = np.isin(pool, acts.items[before])
            pool, bands, wanted = pool[~old], bands[~old], wanted[~old]
        if not wanted.any():
            return None
        inside = bands == bands[rng.choice(np.flatnonzero(wanted))]
        right = rng.permutation(pool[inside & wanted])[:MOST_CHOSEN]
        others = rng.permutation(pool[inside & ~wanted])[: LISTING - len(right)]
        items = np.concatenate([right, others])
        order = rng.permutation(len(items))
        chosen = np.arange(len(items)) < len(right)
        return Answered(subject, at, items[order].astype(np.int32), chosen[order].astype(np.float32))

    @lru_cache(maxsize=4)  # noqa: B019 - a few days, for as long as the baskets
    def _on_sale(self, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Products sold lately, and the price band of each; those without a price are a band."""
        first, last = np.searchsorted(self._days, [day - ON_SALE_DAYS, day])
        pool = np.unique(self._bought.items[first:last])
        prices = self._prices[pool]
        count = min(BANDS, max(1, len(pool) // SMALLEST_BAND))
        priced = prices[~np.isnan(prices)]
        edges = np.quantile(priced, np.arange(1, count) / count) if len(priced) else np.empty(0)
        return pool, np.where(np.isnan(prices), -1, np.searchsorted(edges, prices, side="right"))
