"""Directional, distance-weighted co-visitation with recency: what follows what, within and between visits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .interactions import Interactions
from .neighbours import WIDTH, Neighbours, from_pairs

REACH = 24  # acts of one visit between two that are still a pair
VISITS_ON = 2  # visits between two that are still a pair
VISIT_ACTS = 60  # acts of a visit that pair with the next visits', spread evenly; wholesalers buy hundreds
HALF_LIFE_DAYS = 90.0
SECONDS_A_DAY = 86400.0
LIFT = 0.5
"""Exponent on the target's own weight that a pair is divided by: 0 favours what is popular, 1 what is rare."""


class Pairs(NamedTuple):
    """Items of which one was met before (``next``, ``after``) or with (``together``) the other."""

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray


def co_visitation(log: Interactions, count: int, *, now: float, width: int = WIDTH) -> dict[str, Neighbours]:
    """``next``, ``after`` and ``together`` of each item.

    A pair weighs ``2^(-age / half-life) / distance``; between acts of the same second (a basket) it has no
    direction. Sums are divided by the sources' and, to the power ``LIFT``, the targets' own weights.

    Args:
        log: of visits before ``now``.
        count: of all items.
        now: seconds since 1970.
        width: neighbours kept of an item.
    """
    ordered = log.take(np.lexsort((log.items, log.times, log.visits)))
    fresh = recency(ordered.times, now)
    own = np.bincount(ordered.items, fresh, minlength=count) + 1.0
    within = _within(ordered, fresh)
    same = Pairs(
        np.concatenate([within.source, within.target]),
        np.concatenate([within.target, within.source]),
        np.concatenate([within.weight, within.weight]),
    )
    found = {"next": _directed(ordered, fresh), "after": _between(ordered, fresh), "together": same}
    return {
        name: from_pairs(
            pairs.source,
            pairs.target,
            pairs.weight / (own[pairs.source] * own[pairs.target] ** (2 * LIFT)) ** 0.5,
            count,
            width,
        )
        for name, pairs in found.items()
    }


def recency(times: np.ndarray, now: float, half_life_days: float = HALF_LIFE_DAYS) -> np.ndarray:
    """``2^(-age / half-life)``, at most 1."""
    age = np.maximum(now - times, 0) / SECONDS_A_DAY
    return np.asarray(np.exp2(-age / half_life_days))


def _within(log: Interactions, fresh: np.ndarray) -> Pairs:
    """Pairs of one visit, the earlier one first, near ones more."""
    parts = []
    for distance in range(1, REACH + 1):
        first = np.flatnonzero(log.visits[:-distance] == log.visits[distance:])
        parts.append((first, first + distance, fresh[first + distance] / distance**0.5))
    first, later, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Pairs(log.items[first], log.items[later], weight)


def _directed(log: Interactions, fresh: np.ndarray) -> Pairs:
    """The same, but of acts of one second both ways by half."""
    parts: list[tuple[np.ndarray, ...]] = []
    for distance in range(1, REACH + 1):
        first = np.flatnonzero(log.visits[:-distance] == log.visits[distance:])
        later, weight = first + distance, fresh[first + distance] / distance
        at_once = log.times[first] == log.times[later]
        parts.append((log.items[first], log.items[later], np.where(at_once, weight / 2, weight)))
        parts.append((log.items[later[at_once]], log.items[first[at_once]], weight[at_once] / 2))
    return Pairs(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _between(log: Interactions, fresh: np.ndarray) -> Pairs:
    """From the acts of a visit to those of the subject's following visits."""
    if not len(log):
        return Pairs(*(np.empty(0, int) for _ in range(3)))
    starts = np.flatnonzero(np.append(True, log.visits[1:] != log.visits[:-1]))
    ends = np.append(starts[1:], len(log))
    order = np.lexsort((log.times[starts], log.subjects[starts]))
    starts, ends = starts[order], ends[order]
    subjects = log.subjects[starts]
    parts = [
        _cross(log, fresh, starts[place : place + on + 1 : on], ends[place : place + on + 1 : on], on)
        for on in range(1, VISITS_ON + 1)
        for place in np.flatnonzero(subjects[:-on] == subjects[on:])
    ]
    if not parts:
        return Pairs(*(np.empty(0, int) for _ in range(3)))
    return Pairs(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _cross(log: Interactions, fresh: np.ndarray, starts: np.ndarray, ends: np.ndarray, on: int) -> Pairs:
    """All pairs of two visits; each act of the later one gives one unit of weight to the earlier ones."""
    early, late = (_spread(a, b) for a, b in zip(starts, ends, strict=True))
    source, target = np.repeat(early, len(late)), np.tile(late, len(early))
    return Pairs(log.items[source], log.items[target], fresh[target] / (on * len(early) ** 0.5))


def _spread(start: int, end: int) -> np.ndarray:
    if end - start <= VISIT_ACTS:
        return np.arange(start, end)
    return np.linspace(start, end - 1, VISIT_ACTS).astype(int)
