"""build: interactions and facts -> knowledge, as of a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .covisitation import co_visitation, recency
from .ease import ease
from .interactions import Facts, Interactions
from .knowledge import Knowledge
from .neighbours import WIDTH
from .text import embed_text, fit_text

WINDOWS_DAYS = {"popularity": 180.0, "recent": 30.0, "trend": 7.0}  # half-lives
PRIOR_SHOWN = 50.0  # impressions at the shop's own rate that a product starts with


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
    past = log.take(log.times < now)
    count = len(facts.items)
    neighbours = co_visitation(past, count, now=now, width=width)
    if len(past):
        neighbours["ease"] = ease(past, count, width=width)
    words = fit_text(facts.texts) if projections is None else projections
    spaces = {"text": embed_text(facts.texts, words)}
    if facts.visual is not None:
        spaces["visual"] = facts.visual.astype(np.float16)
    return Knowledge(
        facts.items,
        neighbours,
        _columns(past, facts, now),
        spaces,
        words,
        float(now),
    )


def _columns(log: Interactions, facts: Facts, now: float) -> dict[str, np.ndarray]:
    count = len(facts.items)
    found = {}
    for name, half_life in WINDOWS_DAYS.items():
        weights = log.weights * recency(log.times, now, half_life)
        found[name] = _share(np.bincount(log.items, weights, minlength=count))
    found["repeat"] = _repeat_rate(log, count)
    found["ctr"] = _click_rate(facts, count)
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
