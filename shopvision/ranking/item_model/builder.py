"""Build the item model from interactions and item facts, as of a time."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from ..interactions import Facts, Interactions
from .covisitation import CoVisits, recency
from .ease import Ease
from .model import Knowledge
from .neighbours import WIDTH
from .title_vectors import embed_text, fit_text, words_of

WINDOWS_DAYS = {"popularity": 180.0, "recent": 30.0, "trend": 7.0, "today": 1.5}  # half-lives
LULL_DAYS = 7.0  # half-life of how lately an item was last chosen: what cannot be had is chosen by nobody
PRIOR_SHOWN = 50.0  # impressions at the shop's own rate that a product starts with


class Builder:
    """Builds knowledge of one log and catalogue as of several times, going over the log once."""

    def __init__(
        self, log: Interactions, facts: Facts, *, projections: Mapping[str, np.ndarray] | None = None
    ) -> None:
        self._log, self._facts = log, facts
        self._visits = CoVisits(log, len(facts.items))
        self._ease = Ease(log, len(facts.items))
        self._words = fit_text(facts.texts) if projections is None else projections
        self._lists = words_of(facts.texts, self._words)
        self._spaces = {"text": embed_text(facts.texts, self._words)}
        if facts.visual is not None:
            self._spaces["visual"] = facts.visual.astype(np.float16)

    def at(self, now: float, width: int = WIDTH) -> Knowledge:
        """What was known at a time; what happened from then on is left out."""
        past = self._log.take(self._log.times < now)
        with ThreadPoolExecutor(1) as beside:  # numpy lets go of the interpreter for nearly all of it
            ease = beside.submit(self._ease.at, now, width)
            neighbours = {**self._visits.at(now, width), "ease": ease.result()}
        columns = {
            **_counts(past, len(self._facts.items), now),
            "repeat": _repeat_rate(past, len(self._facts.items)),
            "ctr": _click_rate(self._facts, len(self._facts.items)),
        }
        return Knowledge(
            self._facts.items, neighbours, columns, self._spaces, self._lists, self._words, float(now)
        )

    def recounted(self, knowledge: Knowledge, now: float) -> Knowledge:
        """The same with what is popular as of a later time: counting is cheap enough to be done daily."""
        past = self._log.take(self._log.times < now)
        columns = {**knowledge.columns, **_counts(past, len(self._facts.items), now)}
        return replace(knowledge, columns=columns, as_of=float(now))


def build(
    log: Interactions,
    facts: Facts,
    *,
    now: float,
    projections: Mapping[str, np.ndarray] | None = None,
    width: int = WIDTH,
) -> Knowledge:
    """What the interactions and the catalogue say of the items.

    Args:
        log: of the time before ``now``; later ones are left out.
        facts: of all items; ``log.items`` are their places.
        now: seconds since 1970.
        projections: an earlier knowledge's, of the same catalogue; None learns the words anew.
        width: neighbours kept of an item.
    """
    return Builder(log, facts, projections=projections).at(now, width)


def _counts(log: Interactions, count: int, now: float) -> dict[str, np.ndarray]:
    """What is popular, by half-life, and how lately each item was chosen."""
    found = {}
    for name, half_life in WINDOWS_DAYS.items():
        weights = log.strengths * recency(log.times, now, half_life)
        found[name] = _share(np.bincount(log.items, weights, minlength=count))
    last = np.full(count, -np.inf)
    np.maximum.at(last, log.items, log.times)
    found["chosen_lately"] = recency(last, now, LULL_DAYS).astype(np.float32)
    return found


def _share(counts: np.ndarray) -> np.ndarray:
    """``log(1 + n) / log(1 + largest n)``, in [0, 1]."""
    logs = np.log1p(counts)
    most = logs.max(initial=0.0)
    return np.asarray(logs / most if most > 0 else logs, np.float32)


def _repeat_rate(log: Interactions, count: int) -> np.ndarray:
    """Share of an item's subjects who came back to it in another visit; with a prior of ten subjects."""
    _, visit = np.unique(log.visits, return_inverse=True)
    met = np.unique(visit.astype(np.int64) * count + log.items)
    subject_of = np.zeros(visit.max(initial=-1) + 1, np.int64)
    _, subject_of[visit] = np.unique(log.subjects, return_inverse=True)
    had, visits = np.unique(subject_of[met // count] * count + met % count, return_counts=True)
    subjects = np.bincount(had % count, minlength=count)
    again = np.bincount(had % count, visits > 1, minlength=count)
    overall = again.sum() / max(subjects.sum(), 1)
    return np.asarray((again + 10 * overall) / (subjects + 10), np.float32)


def _click_rate(facts: Facts, count: int) -> np.ndarray:
    """Clicks over impressions, drawn to the shop's own rate; relative to it, so that 1 is ordinary."""
    if facts.shown is None or facts.clicked is None or not facts.shown.sum() or not facts.clicked.sum():
        return np.ones(count, np.float32)
    rate = float(facts.clicked.sum() / facts.shown.sum())
    found = (facts.clicked + PRIOR_SHOWN * rate) / (facts.shown + PRIOR_SHOWN)
    return np.asarray(found / rate, np.float32)
