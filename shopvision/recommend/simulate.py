"""Simulate: plausible visitors of the catalogue, so that a demo has something to learn from and to show."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import numpy as np
from django.utils import timezone

from ..events.simulated import MadeUp, write
from .data import read_facts
from .experiment import OUTCOMES, SEEN
from .interactions import Facts
from .models import Experiment, ExperimentCount

PAGE = 24  # products of a listing
LOOKED = 0.75  # exponent with which attention falls along a page: (1 + place)^-0.75
CLICKS, BASKETS, PURCHASES = 0.35, 0.3, 0.5  # of what suits and is seen; of clicks; of what lies in a basket
GOES_WITH = 0.45  # chance that the next thing looked at goes with the last one


def simulate(visitors: int = 400, days: int = 45, *, seed: int = 0) -> int:
    """Have made-up visitors look around the shop for some weeks; how many rows were written.

    Each likes a category or two and a look; products have partners that go with them; attention falls along a
    page; some things are liked more than others. Every row is marked as simulated (``events.simulated``).
    """
    facts = read_facts(timezone.now())
    return write(_Crowd(facts, days, seed).acts(visitors)) if len(facts.items) > 1 else 0


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
            listing = uuid.UUID(int=self._random.getrandbits(128)).hex
            page = self._page(one)
            for place, item in enumerate(page):
                yield self._act("impression", one, name, item, at, listing, place)
            for place, item in enumerate(page):
                at += timedelta(seconds=self._random.uniform(2, 20))
                if self._random.random() < self._chance(one, item, place, last):
                    yield self._act("click", one, name, item, at, listing, place)
                    yield from self._looked_at(one, name, item, at, listing)
                    last = item
            if last >= 0 and self._random.random() < GOES_WITH:
                at += timedelta(seconds=self._random.uniform(5, 60))
                last = self._partners[last]
                yield from self._looked_at(one, name, last, at, "")

    def _looked_at(
        self, one: _Visitor, visit: str, item: int, at: datetime, listing: str
    ) -> Iterator[MadeUp]:
        yield self._act("view", one, visit, item, at + timedelta(seconds=1), listing, None)
        if item not in one.bought and self._random.random() < BASKETS:
            yield self._act("basket_add", one, visit, item, at + timedelta(seconds=20), listing, None)
            if self._random.random() < PURCHASES:
                one.bought.add(item)
                yield self._act("purchase", one, visit, item, at + timedelta(seconds=90), listing, None)

    def _page(self, one: _Visitor) -> list[int]:
        """A category the visitor likes, or the whole shop, in the shop's own order from some page on."""
        liked = self._random.random() < 0.6
        inside = np.isin(self._categories, list(one.likes)) if liked else np.ones(len(self._appeal), bool)
        pool = np.flatnonzero(inside)
        pages = max(1, -(-len(pool) // PAGE))
        page = min(int(self._random.expovariate(1.2)), pages - 1)
        return [int(item) for item in pool[page * PAGE : (page + 1) * PAGE]]

    def _chance(self, one: _Visitor, item: int, place: int, last: int) -> float:
        goes_with = 4.0 if last >= 0 and self._partners[last] == item else 1.0
        seen = float((1 + place) ** -LOOKED)
        return min(
            0.9, CLICKS * float(one.suits[item]) * goes_with * seen * min(float(self._appeal[item]), 2.5)
        )

    def _act(
        self, kind: str, one: _Visitor, visit: str, item: int, at: datetime, listing: str, place: int | None
    ) -> MadeUp:
        at = min(at, timezone.now())
        return MadeUp(kind, one.number, visit, self._facts.items[item], at, listing, place)
