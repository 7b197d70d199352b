"""Rebuild the item model from recorded behaviour and serve it."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from ..models import KnowledgeSnapshot
from ..ranker_releases import keep_knowledge
from ..training.event_log import Behaviour, read, strength
from .builder import WINDOWS_DAYS, build
from .covisitation import recency
from .model import Knowledge


def refresh(behaviour: Behaviour | None = None) -> KnowledgeSnapshot:
    """Build knowledge from all that may be used and let it serve; rows that were erased are not in it any more."""
    start = time.perf_counter()
    given = behaviour or read(listings=False)
    return keep_knowledge(known_by(given), given.about(), time.perf_counter() - start)


def known_by(behaviour: Behaviour) -> Knowledge:
    """What the behaviour says by its end; popularity also of visitors of whom only sums are kept.

    How products look stays out: a listing compares them by the live index, which knows the newest too.
    """
    now = behaviour.until.timestamp()
    found = build(behaviour.log, replace(behaviour.facts, visual=None), now=now)
    return replace(found, columns={**found.columns, **_popularity(behaviour, now)})


def _popularity(behaviour: Behaviour, now: float) -> dict[str, np.ndarray]:
    """The columns of ``build`` with what the sums have beyond the rows: the larger of both, by product."""
    log, counts, size = behaviour.log, behaviour.counts, len(behaviour.facts.items)
    found = {}
    for name, half_life in WINDOWS_DAYS.items():
        rows = np.bincount(log.items, log.strengths * recency(log.times, now, half_life), minlength=size)
        weights = counts.numbers * strength(counts.kinds) * recency(counts.times, now, half_life)
        sums = np.log1p(np.maximum(rows, np.bincount(counts.items, weights, minlength=size)))
        most = sums.max(initial=0.0)
        found[name] = np.asarray(sums / most if most > 0 else sums, np.float32)
    return found
