"""Build training examples from answered listings, without leakage from later events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...timestamps import SECONDS_A_DAY
from ..features import FEATURES, Candidates, features
from ..interactions import KINDS, Facts, Interactions, Profile
from ..item_model.builder import Builder
from ..item_model.model import Knowledge

PROFILE_ACTS = 200  # of a subject, the latest
REBUILT_DAYS = 7.0
"""Knowledge a listing is judged with is up to a week old, as a shop's is that trains weekly."""


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """A listing somebody was shown, or might have been, and what they chose of it.

    Args:
        subject: number, as in the log.
        at: when, seconds since 1970; their profile holds what was before.
        items: item numbers, int32 (L,).
        chosen: how much each was wanted, 0 for not at all; float32 (L,).
        positions: at which each was shown, from 0; None where the listing was never shown.
    """

    subject: int
    at: float
    items: np.ndarray
    chosen: np.ndarray
    positions: np.ndarray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Features and answers of listings, one after another.

    Args:
        x: float32 (M, F), columns as ``FEATURES``.
        chosen: float32 (M,).
        starts: first row of each listing, and M at the end; int64 (G + 1,).
        subjects: of each listing, int64 (G,).
        weights: of each row's answer, 1 where nothing is to be corrected; float32 (M,).
        positions: at which each row was shown, from 0; -1 where the listing never was; int32 (M,).
    """

    x: np.ndarray
    chosen: np.ndarray
    starts: np.ndarray
    subjects: np.ndarray
    weights: np.ndarray
    positions: np.ndarray

    def __len__(self) -> int:
        return len(self.subjects)

    def rows(self, listing: int) -> slice:
        """Rows of a listing."""
        return slice(int(self.starts[listing]), int(self.starts[listing + 1]))

    def take(self, listings: np.ndarray) -> Lessons:
        """Some of the listings, by number."""
        rows = [np.arange(self.starts[one], self.starts[one + 1]) for one in listings]
        chosen = np.concatenate([np.empty(0, np.int64), *rows])
        sizes = np.array([len(one) for one in rows], np.int64)
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        return Lessons(
            self.x[chosen],
            self.chosen[chosen],
            starts,
            self.subjects[listings],
            self.weights[chosen],
            self.positions[chosen],
        )


def joined(parts: Sequence[Lessons]) -> Lessons:
    """Several lessons as one."""
    sizes = [np.diff(one.starts) for one in parts]
    return Lessons(
        np.concatenate([one.x for one in parts]),
        np.concatenate([one.chosen for one in parts]),
        np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64),
        np.concatenate([one.subjects for one in parts]),
        np.concatenate([one.weights for one in parts]),
        np.concatenate([one.positions for one in parts]),
    )


class Past:
    """What the subjects of a log had done before any time."""

    def __init__(self, log: Interactions, facts: Facts) -> None:
        self._log = log.take(np.lexsort((log.items, log.times, log.subjects)))
        self._facts = facts
        self._subjects, self._starts = np.unique(self._log.subjects, return_index=True)
        self._ends = np.append(self._starts[1:], len(self._log))

    def rows(self, subject: int, before: float) -> slice:
        """A subject's acts before a time, oldest first, as rows of ``acts``."""
        place = int(np.searchsorted(self._subjects, subject))
        if place == len(self._subjects) or self._subjects[place] != subject:
            return slice(0, 0)
        start, end = int(self._starts[place]), int(self._ends[place])
        return slice(start, start + int(np.searchsorted(self._log.times[start:end], before)))

    @property
    def acts(self) -> Interactions:
        """The log, by subject and time."""
        return self._log

    def profile(self, subject: int, before: float, at: float, most: int = PROFILE_ACTS) -> Profile:
        """Their latest acts before a time, as seen at another."""
        span = self.rows(subject, before)
        rows = np.arange(span.start, span.stop)[::-1][:most]
        items = self._log.items[rows]
        nothing = np.full(len(rows), np.nan, np.float32)
        return Profile(
            items.astype(np.int32),
            tuple(self._facts.items[item] for item in items),
            tuple(KINDS[kind] for kind in self._log.kinds[rows]),
            ((at - self._log.times[rows]) / SECONDS_A_DAY).astype(np.float32),
            nothing,
            _some(self._facts.prices, items, np.nan, np.float32),
            _some(self._facts.categories, items, -1, np.int32),
        )


def _some(column: np.ndarray | None, items: np.ndarray, missing: float, kind: type) -> np.ndarray:
    return np.full(len(items), missing, kind) if column is None else column[items].astype(kind)


def listed(facts: Facts, items: np.ndarray, at: float) -> Candidates:
    """Candidates of a catalogue as they were at a time, in no order of the shop's."""
    since = _some(facts.since, items, np.nan, np.float64)
    age = np.maximum(at - since, 0) / SECONDS_A_DAY
    return Candidates(
        items.astype(np.int32),
        _some(facts.prices, items, np.nan, np.float32),
        _some(facts.categories, items, -1, np.int32),
        age.astype(np.float32),
        np.ones(len(items), bool),
        np.full(len(items), -1, np.int32),
        np.full(len(items), np.nan, np.float32),
    )


def learn_from(
    builder: Builder, past: Past, facts: Facts, listings: Sequence[Answered], *, start: float | None = None
) -> Lessons:
    """Features of each listing, made with what was known then and the profile before it.

    Neighbours are rebuilt every ``REBUILT_DAYS``, what is popular is counted daily.

    Args:
        builder, past: of the same log. facts: of its items.
        listings: in any order; the lessons have the same.
        start: a time at which knowledge was built; by default that of the first listing.
    """
    times = np.array([one.at for one in listings], float)
    first = times.min(initial=np.inf) if start is None else start
    days = np.floor((times - first) / SECONDS_A_DAY).astype(int)
    weeks = (days // REBUILT_DAYS).astype(int)
    made: dict[int, np.ndarray] = {}
    for week in np.unique(weeks):
        knowledge = builder.at(first + float(week) * REBUILT_DAYS * SECONDS_A_DAY)
        for day in np.unique(days[weeks == week]):
            knowledge = builder.recounted(knowledge, first + float(day) * SECONDS_A_DAY)
            for place in np.flatnonzero(days == day):
                made[int(place)] = seen_then(knowledge, past, facts, listings[int(place)])
    sizes = [len(one.items) for one in listings]
    chosen = [one.chosen for one in listings]
    none = np.empty((0, len(FEATURES)), np.float32)
    return Lessons(
        np.concatenate([none, *(made[place] for place in range(len(listings)))]),
        np.concatenate([np.empty(0, np.float32), *chosen]).astype(np.float32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.array([one.subject for one in listings], np.int64),
        np.ones(sum(sizes), np.float32),
        np.concatenate([np.empty(0, np.int32), *(_shown(one) for one in listings)]),
    )


def _shown(listing: Answered) -> np.ndarray:
    if listing.positions is None:
        return np.full(len(listing.items), -1, np.int32)
    return listing.positions.astype(np.int32)


def seen_then(knowledge: Knowledge, past: Past, facts: Facts, listing: Answered) -> np.ndarray:
    """What a ranker would have seen of a listing.

    Without the shop's own order: all that is kept is where a ranker put each, and that must not teach the next.
    """
    profile = past.profile(listing.subject, listing.at, listing.at)
    return features(knowledge, profile, listed(facts, listing.items, listing.at))
