"""Train every available kind of ranker and select by validation NDCG."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from time import perf_counter

import numpy as np

from ...evaluation.ranking_metrics import ndcg_at, ranked
from ..rankers.base import PriorRanker, Ranker
from ..rankers.lambdamart import fit_boosted
from ..rankers.linear import fit_linear
from .examples import Lessons

TRAINING = "shopvision.ranking.rankers.mlp_training"  # by name: only training a network loads torch
DEPTH = 10
Fit = Callable[[Lessons, int], Ranker]


@dataclass(frozen=True, slots=True)
class Choice:
    """The ranker that was kept, and how all of them fared.

    Args:
        ranker: what is kept. validated: NDCG@10 on the validation listings by kind. seconds: of training.
    """

    ranker: Ranker
    validated: Mapping[str, float]
    seconds: Mapping[str, float]


def kinds() -> dict[str, Fit]:
    """Those this installation can train: ``mlp`` needs torch, ``lightgbm`` the ``ranking`` extra."""
    found: dict[str, Fit] = {
        "prior": lambda lessons, seed: PriorRanker(),
        "linear": lambda lessons, seed: fit_linear(lessons),
    }
    if find_spec("torch") is not None:
        found["mlp"] = lambda lessons, seed: import_module(TRAINING).fit_mlp(lessons, seed=seed)
    if find_spec("lightgbm") is not None:
        found["lightgbm"] = lambda lessons, seed: fit_boosted(lessons, seed=seed)
    return found


def choose(
    train: Lessons, validation: Lessons, *, seed: int = 0, only: Collection[str] | None = None
) -> Choice:
    """The best on the validation listings, which are later than all that any ranker was trained on.

    Args:
        train: at least one listing of which something was chosen.
        seed: of what is drawn in training.
        only: kinds to try; None tries all that ``kinds`` gives.
    """
    rankers: dict[str, Ranker] = {}
    seconds: dict[str, float] = {}
    for kind, fit in kinds().items():
        if only is None or kind in only:
            started = perf_counter()
            rankers[kind] = fit(train, seed)
            seconds[kind] = round(perf_counter() - started, 2)
    validated = {kind: float(quality(ranker, validation).mean()) for kind, ranker in rankers.items()}
    best = max(validated, key=lambda kind: validated[kind])
    return Choice(rankers[best], validated, seconds)


def quality(ranker: Ranker, lessons: Lessons) -> np.ndarray:
    """NDCG@10 of each listing, (G,)."""
    spans = [lessons.rows(listing) for listing in range(len(lessons))]
    rows = [ranked(lessons.chosen[span], ranker.score(lessons.x[span])) for span in spans]
    return np.array([ndcg_at(row, DEPTH) for row in rows])
