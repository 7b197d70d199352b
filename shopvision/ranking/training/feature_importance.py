"""Permutation feature importance by feature group."""

from __future__ import annotations

import numpy as np

from ...evaluation.bootstrap import mean_interval
from ..features import COUNTS, PLACE, SIGNALS, SPACES
from ..rankers.base import Ranker
from .examples import Lessons
from .ranker_evaluation import Judge, mean

KINDS: dict[str, tuple[str, ...]] = {
    "neighbours": tuple(f"{name}_{way}" for name in SIGNALS for way in ("sum", "best", "lately")),
    **{space: tuple(f"{space}_{way}" for way in ("mean", "best")) for space in SPACES},
    "words": ("words", "words_often"),
    "popularity": (*COUNTS, "chosen_lately"),
    "ctr": ("ctr",),
    "repeats": ("seen", "seen_lately", "comes_back"),
    "price": ("price", "price_gap", "dearer"),
    "category": ("category",),
    "newness": ("fresh", "young", "known"),
    "position": ("position",),
}
"""Columns of ``FEATURES`` that say the same kind of thing; ``acts`` and ``idle`` tell no two products apart."""
MOST = 800  # listings, the latest; scoring them is what it costs
TIMES = 3  # each kind is shuffled


def weighs(ranker: Ranker, judge: Judge, *, seed: int = 0) -> dict[str, dict[str, float]]:
    """NDCG@10 lost when a kind of feature is dealt out anew among the products of each listing.

    Its columns move together, so that a listing's values stay what they were and only say nothing of its
    products any more. What another kind of feature says as well is not lost.

    Args:
        ranker: whose scores are asked.
        judge: of listings that the ranker has not learned from.
        seed: of the shuffling.

    Returns:
        By kind, the largest first: ``lost``, with ``low`` and ``high``, its 95 % interval by subjects.

    Source: Breiman, "Random forests", Machine Learning 2001 (permutation importance).
    """
    judge = judge.latest(MOST)
    draw = np.random.default_rng(seed)
    base = judge.scored(ranker.score).ndcg
    found = {}
    for kind, names in KINDS.items():
        columns = [PLACE[name] for name in names]
        if not judge.lessons.x[:, columns].any():
            continue  # the shop has nothing of the kind
        lost = np.zeros(len(base))
        for _ in range(TIMES):
            x = _dealt(judge.lessons, columns, draw)
            lost += (base - judge.with_features(x).scored(ranker.score).ndcg) / TIMES
        found[kind] = _in_numbers(lost, judge)
    return dict(sorted(found.items(), key=lambda item: -item[1]["lost"]))


def _dealt(lessons: Lessons, columns: list[int], draw: np.random.Generator) -> np.ndarray:
    """The features with some columns dealt out anew within each listing."""
    listing = np.repeat(np.arange(len(lessons)), np.diff(lessons.starts))
    order = np.lexsort((draw.random(len(listing)), listing))
    x = lessons.x.copy()
    x[:, columns] = lessons.x[order][:, columns]
    return x


def _in_numbers(lost: np.ndarray, judge: Judge) -> dict[str, float]:
    low, high = mean_interval(lost, judge.subjects, weights=judge.weights)
    return {"lost": round(mean(lost, judge.weights), 4), "low": round(low, 4), "high": round(high, 4)}
