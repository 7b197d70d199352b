"""Sample candidate listings for observed choices where few real listings exist."""

from __future__ import annotations

import numpy as np

from ..interactions import Facts, Interactions
from .examples import Answered

LISTING = 200  # products of a listing, as a page's window
MOST_CHOSEN = 5  # of the rest of a visit; what is left of it is neither right nor wrong


def next_acts(log: Interactions, facts: Facts, *, most: int, seed: int) -> list[Answered]:
    """One listing a visit: what was done in it from some act on, among products that were not.

    The act is drawn; before it something must be known of the subject, from this visit or an earlier one. Half
    of the other products are drawn evenly and half by how often they are met, so that neither popularity nor
    its opposite gives the answer away. Products that came later are left out.

    Args:
        log: in any order.
        most: listings; of more visits the latest count.
        seed: of what is drawn.

    Returns:
        oldest first.
    """
    rng = np.random.default_rng(seed)
    order = np.lexsort((log.times, log.subjects))
    log = log.take(order)
    pool = _Pool(log, facts)
    found = []
    for rows, first in _visits(log):
        cut = int(rng.integers(int(first), max(len(rows), int(first) + 1)))
        if cut < len(rows):
            found.append((float(log.times[rows[cut]]), rows, cut))
    found.sort(key=lambda one: one[0])
    return [pool.listing(log, rows, cut, rng) for _, rows, cut in found[-most:]]


def _visits(log: Interactions) -> list[tuple[np.ndarray, bool]]:
    """Rows of each visit in order of time, and whether it is its subject's first."""
    order = np.lexsort((log.times, log.visits))
    starts = np.flatnonzero(np.diff(log.visits[order], prepend=-1))
    begun: dict[int, float] = {}
    for subject, at in zip(log.subjects.tolist(), log.times.tolist(), strict=True):
        begun[subject] = min(at, begun.get(subject, at))
    parts = np.split(order, starts[1:]) if len(order) else []
    return [(rows, begun[int(log.subjects[rows[0]])] == log.times[rows[0]]) for rows in parts]


class _Pool:
    """Products to fill a listing with."""

    def __init__(self, log: Interactions, facts: Facts) -> None:
        self._count = len(facts.items)
        self._since = (
            np.full(self._count, -np.inf) if facts.since is None else np.nan_to_num(facts.since, nan=-np.inf)
        )
        met = np.bincount(log.items, minlength=self._count) + 1.0
        self._share = np.cumsum(met) / met.sum()

    def listing(self, log: Interactions, rows: np.ndarray, cut: int, rng: np.random.Generator) -> Answered:
        """The rest of a visit from an act on, among others."""
        at = float(log.times[rows[cut]])
        wanted: dict[int, float] = {}
        for row, strength in zip(rows[cut:].tolist(), log.strengths[rows[cut:]].tolist(), strict=True):
            item = int(log.items[row])
            wanted[item] = max(wanted.get(item, 0.0), strength)
        right = np.array(list(wanted)[:MOST_CHOSEN], np.int64)
        others = self._others(np.array(list(wanted), np.int64), at, LISTING - len(right), rng)
        items = np.concatenate([right, others])
        chosen = np.array([wanted.get(int(item), 0.0) for item in items], np.float32)
        order = rng.permutation(len(items))
        return Answered(int(log.subjects[rows[0]]), at, items[order].astype(np.int32), chosen[order])

    def _others(self, wanted: np.ndarray, at: float, count: int, rng: np.random.Generator) -> np.ndarray:
        if self._count <= LISTING:
            drawn = rng.permutation(self._count)
        else:
            popular = np.searchsorted(self._share, rng.random(count))
            evenly = rng.integers(0, self._count, count)
            drawn = rng.permutation(np.unique(np.concatenate([popular, evenly])))
        there = self._since[np.minimum(drawn, self._count - 1)] <= at
        return drawn[there & ~np.isin(drawn, wanted)][:count]
