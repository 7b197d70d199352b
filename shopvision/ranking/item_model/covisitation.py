"""Directional, distance-weighted co-visitation with recency."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...timestamps import SECONDS_A_DAY
from ..interactions import Interactions
from .neighbours import DENSE_ITEMS, WIDTH, Neighbours, Pairs, from_pairs, from_sums

VISIT_ACTS = 64  # acts of a visit that make pairs, spread evenly over it; wholesalers buy hundreds
VISITS_ON = 3  # visits between two that are still a pair
HALF_LIFE_DAYS = 90.0
LIFT = 0.5
"""Exponent on the target's own weight that a pair is divided by: 0 favours what is popular, 1 what is rare."""


class Moves(NamedTuple):
    """Pairs of acts of one subject, the source first, by time.

    Args:
        pairs: of their items; what they weigh before recency.
        times: of the targets, seconds, rising.
    """

    pairs: Pairs
    times: np.ndarray

    def rows(self, first: int, end: int) -> Pairs:
        """Some of the pairs."""
        return Pairs(*(column[first:end] for column in self.pairs))


class CoVisits:
    """The pairs of a log, added up as of several times; what was added up before is only aged."""

    def __init__(self, log: Interactions, count: int) -> None:
        self._count = count
        self._log = log.take(np.lexsort((log.items, log.times, log.visits)))
        self._last = float(log.times.max(initial=0.0))
        spread = self._log.take(_spread(self._log.visits))
        self._moves = {
            name: _by_time(moves, self._last)
            for name, moves in (("next", _within(spread)), ("after", _between(spread)))
        }
        self._sums: dict[str, tuple[int, np.ndarray]] = {}

    def at(self, now: float, width: int = WIDTH) -> dict[str, Neighbours]:
        """``next``, ``after`` and ``together`` of each item, as of a time.

        Sums of ``weight * 2^(-age / half-life)`` over the pairs before ``now``, divided by the root of the
        source's own sum of recency and by the target's to the power ``LIFT``; ``together`` is ``next`` both
        ways.
        """
        before = self._log.times < now
        fresh = recency(self._log.times[before], now)
        own = 1 + np.bincount(self._log.items[before], fresh, minlength=self._count)
        aged = float(np.exp2((self._last - now) / SECONDS_A_DAY / HALF_LIFE_DAYS))
        factors = aged * own**-0.5, own**-LIFT
        if self._count <= DENSE_ITEMS:
            sums = {name: self._added(name, now) for name in self._moves}
            sums["together"] = sums["next"] + sums["next"].T
            return {name: from_sums(one, *factors, width) for name, one in sums.items()}
        pairs = {name: self._before(name, now) for name in self._moves}
        pairs["together"] = pairs["next"].both_ways()
        return {name: from_pairs(one, *factors, width) for name, one in pairs.items()}

    def _before(self, name: str, now: float, first: int = 0) -> Pairs:
        moves = self._moves[name]
        return moves.rows(first, int(np.searchsorted(moves.times, now)))

    def _added(self, name: str, now: float) -> np.ndarray:
        """The sums of all pairs before a time, float32 (N, N); only those since the last time are added."""
        end = int(np.searchsorted(self._moves[name].times, now))
        done, sums = self._sums.get(name, (0, np.zeros((self._count, self._count), np.float32)))
        if end < done:
            done, sums = 0, np.zeros_like(sums)
        source, target, weight = self._moves[name].rows(done, end)
        key = source.astype(np.int64) * self._count + target
        sums += np.bincount(key, weight, minlength=sums.size).reshape(sums.shape)
        self._sums[name] = end, sums
        return sums


def _by_time(moves: Moves, last: float) -> Moves:
    """Pairs in order of time, their weights as of the last."""
    order = np.argsort(moves.times, kind="stable")
    source, target, weight = (column[order] for column in moves.pairs)
    times = moves.times[order]
    return Moves(Pairs(source, target, weight * recency(times, last)), times)


def recency(times: np.ndarray, now: float, half_life_days: float = HALF_LIFE_DAYS) -> np.ndarray:
    """``2^(-age / half-life)``, at most 1."""
    age = np.maximum(now - times, 0) / SECONDS_A_DAY
    return np.asarray(np.exp2(-age / half_life_days))


def _spread(visits: np.ndarray) -> np.ndarray:
    """Rows kept of acts sorted by visit: at most ``VISIT_ACTS`` of each, evenly spaced."""
    if not len(visits):
        return np.empty(0, int)
    starts = np.flatnonzero(np.append(True, visits[1:] != visits[:-1]))
    sizes = np.diff(np.append(starts, len(visits)))
    place = np.arange(len(visits)) - np.repeat(starts, sizes)
    size = np.repeat(sizes, sizes)
    step = np.maximum(size / VISIT_ACTS, 1)
    return np.flatnonzero(np.floor(place / step) != np.floor((place - 1) / step))


def _within(log: Interactions) -> Moves:
    """Pairs of one visit; ``1 / moments between``, and by half both ways where both are of one second."""
    starts, sizes = _runs(log.visits)
    moment = np.cumsum(np.append(True, (log.times[1:] != log.times[:-1]) | (np.diff(log.visits) != 0)))
    own = np.repeat(np.arange(len(starts)), sizes)
    source, target = _cross(np.arange(len(log)), starts[own], sizes[own])
    kept = (moment[source] <= moment[target]) & (source != target)
    source, target = source[kept], target[kept]
    apart = moment[target] - moment[source]
    weight = np.where(apart > 0, 1 / np.maximum(apart, 1), 0.5) / sizes[own[target]] ** 0.5
    return Moves(Pairs(log.items[source], log.items[target], weight), log.times[target])


def _between(log: Interactions) -> Moves:
    """From the acts of a visit to those of the subject's following visits, ``1 / visits between``."""
    starts, sizes = _runs(log.visits)
    order = np.lexsort((log.times[starts], log.subjects[starts]))
    parts = []
    for on in range(1, VISITS_ON + 1):
        first, later = order[:-on], order[on:]
        mine = log.subjects[starts[first]] == log.subjects[starts[later]]
        first, later = first[mine], later[mine]
        rows = _ranges(starts[first], sizes[first])
        to = np.repeat(later, sizes[first])
        source, target = _cross(rows, starts[to], sizes[to])
        weight = 1 / (on * np.repeat((sizes[np.repeat(first, sizes[first])] * sizes[to]) ** 0.5, sizes[to]))
        parts.append((log.items[source], log.items[target], weight, log.times[target]))
    source, target, weight, times = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Moves(Pairs(source, target, weight), times)


def _runs(visits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First row and length of each visit of acts sorted by visit."""
    starts = np.flatnonzero(np.append(len(visits) > 0, visits[1:] != visits[:-1]))
    return starts, np.diff(np.append(starts, len(visits)))


def _ranges(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """``start .. start + size`` of each, one after another."""
    ends = np.cumsum(sizes)
    places = np.arange(int(ends[-1]) if len(ends) else 0)
    return np.asarray(places + np.repeat(starts - (ends - sizes), sizes))


def _cross(rows: np.ndarray, starts: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row with each of its own range."""
    return np.repeat(rows, sizes), _ranges(starts, sizes)
