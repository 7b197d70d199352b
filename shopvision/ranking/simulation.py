"""Simulate visitors of the catalogue for demos and tests."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import numpy as np
from django.db import transaction
from django.utils import timezone

from ..events import simulated_events
from ..events.models import Event, ProductCount
from ..events.simulated_events import MadeUp
from .experiments import OUTCOMES, SEEN
from .interactions import Facts
from .models import Experiment, ExperimentCount
from .training.event_log import read_facts

LEAVES_EVERY = 200  # visitors, of whom one wishes to be forgotten
PAGE, PAGES = 24, 8  # products of a page; pages beyond which nobody goes
LOOKED = 0.75  # exponent with which attention falls along a page: (1 + place)^-0.75
CLICKS, BASKETS, PURCHASES = 0.35, 0.3, 0.5  # of what suits and is seen; of clicks; of what lies in a basket
SHELF = 0.9  # share of listings that are of what a visitor likes; the others are of the whole shop
TURNS = 0.3  # chance of going on to a listing's next page
GOES_WITH = 0.45  # chance that the next thing looked at goes with the last one


def simulate(visitors: int = 400, days: int = 45, *, seed: int = 0) -> int:
    """Have made-up visitors look around the shop for some weeks; how many events there are.

    Each likes a category or two and a look; products have partners that go with them; attention falls along a
    page; some things are liked more than others. They see the shop's own order, in which chance has neighbours
    change places (``fair_pairs``), and the odds are logged. Some ask to be forgotten, and are. Every row is
    marked as simulated (``events.simulated``).
    """
    facts = read_facts(timezone.now())
    if len(facts.items) < 2:
        return 0
    events, sums = simulated_events.rows_of(_Crowd(facts, days, seed).acts(visitors))
    with transaction.atomic():
        Event.objects.bulk_create(events, ignore_conflicts=True)
        ProductCount.objects.bulk_create(sums)
    for visitor in range(0, visitors - 1, LEAVES_EVERY):
        simulated_events.exercise_rights(visitor)
    return simulated_events.there()


def simulate_experiment(days: int = 21, *, seed: int = 0) -> Experiment:
    """A stopped experiment with made-up counts, marked as simulated: one visitor in five saw the shop's own order."""
    draw = np.random.default_rng(seed)
    row = Experiment.objects.create(
        name="Simulated: hold-out", state=Experiment.State.STOPPED, holdout=0.2, simulated=True
    )
    now = timezone.now()
    counts = []
    for day in range(days):
        for arm, visitors, rates in (("own", 60, (0.24, 0.06, 0.02)), ("live", 240, (0.30, 0.075, 0.026))):
            seen = int(draw.poisson(visitors))
            done = dict(zip(OUTCOMES, (int(draw.binomial(seen, rate)) for rate in rates), strict=True))
            counts += [
                ExperimentCount(
                    experiment=row,
                    day=(now - timedelta(days=days - day)).date(),
                    arm=arm,
                    outcome=what,
                    count=n,
                )
                for what, n in {SEEN: seen, **done}.items()
            ]
    ExperimentCount.objects.bulk_create(counts)
    Experiment.objects.filter(pk=row.pk).update(started_at=now - timedelta(days=days), stopped_at=now)
    return row


def fair_pairs(count: int, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An order of ``count`` products by chance, near the one given, and the odds of each to stand where it does.

    A coin decides whether the products pair off from the first or from the second on; then one for each pair
    whether the two change places. A product stays with odds 1/2 and moves up or down with 1/4 each; the first
    and the last, which have nobody beyond them, stay with 3/4. No odds are so small that one click says much
    more than another, as those of a product that few have seen are in a live listing.

    Returns:
        Places in the order given, int64 (count,), and propensities, float64 (count,).

    Source: Radlinski & Joachims, "Minimally invasive randomization for collecting unbiased preferences from
    clickthrough logs", AAAI 2006.
    """
    order = np.arange(count)
    first = int(draw.integers(2))
    upper = np.arange(first, count - 1, 2)
    upper = upper[draw.random(len(upper)) < 0.5]
    order[upper], order[upper + 1] = upper + 1, upper
    ends = ((order == 0) | (order == count - 1)).astype(float)
    stays = 0.5 + 0.25 * ends if count > 1 else np.ones(count)
    return order, np.where(order == np.arange(count), stays, 0.25)


@dataclass(frozen=True, slots=True)
class _Place:
    """Of a listing: which, where in it, and the odds of what stands there."""

    listing: str = ""
    position: int | None = None
    propensity: float | None = None


ELSEWHERE = _Place()


@dataclass(frozen=True, slots=True)
class _Visitor:
    """Somebody made up: the categories and the look they like, and what they have bought."""

    number: int
    likes: frozenset[int]
    suits: np.ndarray
    bought: set[int]


class _Crowd:
    def __init__(self, facts: Facts, days: int, seed: int) -> None:
        self._facts, self._days = facts, days
        self._random, self._draw = Random(seed), np.random.default_rng(seed)  # noqa: S311 - a simulation
        count = len(facts.items)
        self._categories = np.zeros(count, int) if facts.categories is None else facts.categories
        self._appeal = self._draw.lognormal(0.0, 0.8, count)
        self._partners = [self._partner(item, count) for item in range(count)]

    def _partner(self, item: int, count: int) -> int:
        """What goes with a product: another of its category, the same in every simulation."""
        alike = np.flatnonzero(self._categories == self._categories[item])
        pool = alike if len(alike) > 1 else np.arange(count)
        digest = hashlib.sha256(self._facts.items[item].encode()).digest()
        chosen = int(pool[int.from_bytes(digest[:4], "big") % len(pool)])
        return chosen if chosen != item else int(pool[(int(np.searchsorted(pool, item)) + 1) % len(pool)])

    def acts(self, visitors: int) -> Iterator[MadeUp]:
        """Of all of them."""
        shelves = sorted(set(self._categories.tolist()))
        start = timezone.now() - timedelta(days=self._days)
        for number in range(visitors):
            likes = frozenset(self._random.sample(shelves, min(len(shelves), self._random.choice((1, 1, 2)))))
            one = _Visitor(number, likes, self._suits(likes), set())
            first = self._random.random() * self._days
            for visit in range(self._random.choice((1, 2, 2, 3, 4))):
                day = first + visit * self._random.uniform(0.5, 6)
                if day < self._days:
                    yield from self._visit(one, start + timedelta(days=day))

    def _suits(self, likes: frozenset[int]) -> np.ndarray:
        """How much each product suits who likes some categories, and of one of them one product's look best."""
        inside = np.isin(self._categories, list(likes))
        suits = np.where(inside, 1.0, 0.12)
        looks = self._facts.visual
        if looks is not None:
            favourite = looks[int(self._draw.choice(np.flatnonzero(inside)))]
            suits = suits * (0.5 + 2 * np.clip(looks @ favourite, 0, 1) ** 2)
        return suits

    def _visit(self, one: _Visitor, at: datetime) -> Iterator[MadeUp]:
        name = f"{self._random.getrandbits(64):016x}"
        last = -1
        for _ in range(self._random.choice((1, 2, 2, 3))):
            for page in self._pages(one):
                for item, place in page:
                    yield self._act("impression", one, name, item, at, place)
                for depth, (item, place) in enumerate(page):
                    at += timedelta(seconds=self._random.uniform(2, 20))
                    if self._random.random() < self._chance(one, item, depth, last):
                        yield self._act("click", one, name, item, at, place)
                        yield from self._looked_at(one, name, item, at, _Place(place.listing))
                        last = item
            if last >= 0 and self._random.random() < GOES_WITH:
                at += timedelta(seconds=self._random.uniform(5, 60))
                last = self._partners[last]
                yield from self._looked_at(one, name, last, at, ELSEWHERE)

    def _looked_at(
        self, one: _Visitor, visit: str, item: int, at: datetime, place: _Place
    ) -> Iterator[MadeUp]:
        yield self._act("view", one, visit, item, at + timedelta(seconds=1), place)
        if item not in one.bought and self._random.random() < BASKETS:
            yield self._act("basket_add", one, visit, item, at + timedelta(seconds=20), place)
            if self._random.random() < PURCHASES:
                one.bought.add(item)
                yield self._act("purchase", one, visit, item, at + timedelta(seconds=90), place)

    def _pages(self, one: _Visitor) -> Iterator[list[tuple[int, _Place]]]:
        """A category the visitor likes, or the whole shop, page by page as far as the visitor goes."""
        liked = self._random.random() < SHELF
        inside = np.isin(self._categories, list(one.likes)) if liked else np.ones(len(self._appeal), bool)
        items = np.flatnonzero(inside)[: PAGES * PAGE]
        order, odds = fair_pairs(len(items), self._draw)
        listing = uuid.UUID(int=self._random.getrandbits(128)).hex
        shown = [
            (item, _Place(listing, place, chance))
            for place, (item, chance) in enumerate(zip(items[order].tolist(), odds.tolist(), strict=True))
        ]
        for start in range(0, len(shown), PAGE):
            if start and self._random.random() >= TURNS:
                return
            yield shown[start : start + PAGE]

    def _chance(self, one: _Visitor, item: int, depth: int, last: int) -> float:
        goes_with = 4.0 if last >= 0 and self._partners[last] == item else 1.0
        seen = float((1 + depth) ** -LOOKED)
        return min(
            0.9, CLICKS * float(one.suits[item]) * goes_with * seen * min(float(self._appeal[item]), 2.5)
        )

    def _act(self, kind: str, one: _Visitor, visit: str, item: int, at: datetime, place: _Place) -> MadeUp:
        at = min(at, timezone.now())
        product = self._facts.items[item]
        return MadeUp(kind, one.number, visit, product, at, place.listing, place.position, place.propensity)
