"""Load consented events and counts as arrays of interactions and answered listings."""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Sum
from django.utils import timezone

from ... import timestamps
from ...catalogue.models import CatalogueEntry
from ...events import history
from ...events.models import Kind, ProductCount
from ...indexing.encoder_releases import answering_or_none
from ...types import ProductRef
from ..interactions import KINDS, STRENGTH_OF, STRENGTHS, Facts, Interactions
from ..product_features import shelf_of
from .examples import Answered

DAYS = 365  # looked back; retention (90 days unless the shop says more) is nearly always shorter
PRODUCTS_AT_ONCE = 2000
MOST_LOGGED = 4000  # listings for the off-policy estimate: it asks for 500 effective ones
TELLING = tuple(kind for kind, strength in STRENGTHS.items() if strength > 0)
"""Kinds of acts that say something about interest."""
KIND_OF = {kind: KINDS.index(kind) for kind in TELLING}


@dataclass(frozen=True, slots=True, eq=False)
class Behaviour:
    """What visitors who agreed to improvement did, and the products they did it with.

    Args:
        log: acts, by subject and time.
        facts: of every product in the catalogue, and of no other.
        listings: that were shown and answered by an act, oldest first.
        logged: the latest listings whose products a ranker chose, answered or not, each with the odds.
        counts: sums over all visitors, that name nobody.
        simulated: how many events nobody did.
        until: the time up to which it was read.
    """

    log: Interactions
    facts: Facts
    listings: tuple[Answered, ...]
    logged: tuple[tuple[Answered, np.ndarray], ...]
    counts: Counts
    simulated: int
    until: datetime

    @property
    def digest(self) -> str:
        """sha256 of the acts, the listings and the products."""
        found = hashlib.sha256("\n".join(self.facts.items).encode())
        for column in (self.log.subjects, self.log.visits, self.log.items, self.log.kinds, self.log.times):
            found.update(np.ascontiguousarray(column).tobytes())
        for one in self.listings:
            found.update(one.items.tobytes() + one.chosen.tobytes())
        return found.hexdigest()

    def about(self) -> dict[str, Any]:
        """In numbers, for people."""
        return {
            "events": len(self.log),
            "subjects": len(np.unique(self.log.subjects)),
            "products": len(self.facts.items),
            "listings": len(self.listings),
            "counted": int(self.counts.numbers.sum()),
            "simulated": self.simulated,
            "until": timestamps.as_text(self.until),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Sums by product, kind and day; all of one length.

    Args:
        items: item numbers. kinds: places in ``KINDS``. times: noon of the day. numbers: how many.
    """

    items: np.ndarray
    kinds: np.ndarray
    times: np.ndarray
    numbers: np.ndarray


def read(*, listings: bool = True) -> Behaviour:
    """Everything that may be learned from, up to now.

    Args:
        listings: read what was shown as well; knowledge needs it not.
    """
    until = timezone.now()
    since = until - timedelta(days=DAYS)
    facts = read_facts(until)
    places = {item: place for place, item in enumerate(facts.items)}
    subjects: dict[str, int] = {}
    log = _log(history.sequences(since, until, TELLING), places, subjects)
    shown = history.shown_listings(since, until) if listings else ()
    answered: list[Answered] = []
    logged: deque[tuple[Answered, np.ndarray]] = deque(maxlen=MOST_LOGGED)
    for one, odds in _listings(shown, places, subjects):
        if one.chosen.any():
            answered.append(one)
        if np.isfinite(odds).all():
            logged.append((one, odds))
    return Behaviour(
        log,
        facts,
        tuple(answered),
        tuple(logged),
        _counts(since, places),
        history.simulated(since, until),
        until,
    )


def _log(
    rows: Iterable[tuple[str, str, ProductRef, str, datetime]],
    places: Mapping[str, int],
    subjects: dict[str, int],
) -> Interactions:
    """Acts with products of the catalogue; where a visit has no name, it is a subject's day."""
    visits: dict[tuple[int, str], int] = {}
    found: list[tuple[int, int, int, int, float]] = []
    for subject, visit, product, kind, at in rows:
        place = places.get(str(product), -1)
        if place >= 0:
            who = subjects.setdefault(subject, len(subjects))
            which = visits.setdefault((who, visit or f"{at:%Y-%m-%d}"), len(visits))
            found.append((who, which, place, KIND_OF[kind], at.timestamp()))
    columns = list(zip(*found, strict=True)) or [()] * 5
    types = (np.int64, np.int64, np.int32, np.int8, np.float64)
    return Interactions(*(np.array(column, kind) for column, kind in zip(columns, types, strict=True)))


def _listings(
    listings: Iterable[history.ShownListing], places: Mapping[str, int], subjects: dict[str, int]
) -> Iterator[tuple[Answered, np.ndarray]]:
    """As far as their products are still in the catalogue; with the odds of each, nan where no ranker chose."""
    for one in listings:
        kept = [item for item in one.items if str(item.product) in places]
        wanted = [max((STRENGTHS[kind] for kind in item.outcomes), default=0.0) for item in kept]
        if len(kept) > 1:
            odds = [np.nan if item.propensity is None else item.propensity for item in kept]
            answered = Answered(
                subjects.setdefault(one.subject, len(subjects)),
                one.at.timestamp(),
                np.array([places[str(item.product)] for item in kept], np.int32),
                np.array(wanted, np.float32),
                np.array([item.position for item in kept], np.int32),
            )
            yield answered, np.array(odds, np.float32)


def read_facts(now: datetime) -> Facts:
    """What the catalogue, the counters and the live index say of every product."""
    rows = list(CatalogueEntry.objects.order_by("pk").values_list("source", "object_id", "text"))
    refs = [ProductRef(source, key) for source, key, _ in rows]
    live = answering_or_none()  # opened here if need be: looks that are missing now are missing in the ranker
    shelves = [
        shelf_of(refs[start : start + PRODUCTS_AT_ONCE], live)
        for start in range(0, len(refs), PRODUCTS_AT_ONCE)
    ]
    items = tuple(map(str, refs))
    ages = _joined([one.ages_days for one in shelves], np.float32)
    looks = [one.looks for one in shelves if one.looks is not None]
    return Facts(
        items,
        [text for _, _, text in rows],
        _joined([one.prices for one in shelves], np.float32),
        _joined([one.categories for one in shelves], np.int32),
        now.timestamp() - ages.astype(np.float64) * timestamps.SECONDS_A_DAY,
        *_shown_and_clicked(items),
        np.concatenate(looks) if shelves and len(looks) == len(shelves) else None,
    )


def _joined(parts: Sequence[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate([np.empty(0, kind), *parts])


def _shown_and_clicked(items: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    sums: dict[str, dict[str, int]] = {Kind.IMPRESSION: {}, Kind.CLICK: {}}
    rows = ProductCount.objects.filter(kind__in=sums).order_by().values_list("kind", "product")
    for kind, product, n in rows.annotate(n=Sum("count")):
        sums[kind][product] = n
    shown, clicked = (np.array([sums[kind].get(item, 0) for item in items], np.float32) for kind in sums)
    return shown, clicked


def _counts(since: datetime, places: Mapping[str, int]) -> Counts:
    rows = ProductCount.objects.filter(day__gte=since.date(), kind__in=TELLING).order_by()
    found: dict[tuple[int, int, float], int] = defaultdict(int)
    for product, kind, day, n in rows.values_list("product", "kind", "day").annotate(n=Sum("count")):
        if product in places:
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=timezone.get_current_timezone())
            found[places[product], KIND_OF[kind], noon.timestamp()] += n
    columns = list(zip(*found, strict=True)) or [()] * 3
    return Counts(
        np.array(columns[0], np.int32),
        np.array(columns[1], np.int8),
        np.array(columns[2], np.float64),
        np.array(list(found.values()), np.float64),
    )


def strength(kinds: np.ndarray) -> np.ndarray:
    """What acts of these kinds say about interest, in views."""
    return np.asarray(STRENGTH_OF[kinds])
