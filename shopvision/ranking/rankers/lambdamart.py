"""LambdaMART ranker by LightGBM; needs the ``ranking`` extra."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...checkpoints import CorruptCheckpoint, pack, unpack
from ...exceptions import Misconfigured
from ..training.examples import Lessons
from .feature_scaling import KIND, Scaling, fit_scaling, scaling_of
from .linear import targets

ROUNDS = 150  # fixed: early stopping on so short a list as ten stops at chance
PARAMETERS = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambdarank_truncation_level": 20,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
}
GRADES = 30  # whole relevances that LightGBM takes; a weight's share of the largest


def lightgbm() -> Any:
    """The library.

    Raises:
        Misconfigured: it is not installed.
    """
    try:
        return importlib.import_module("lightgbm")
    except ImportError as error:
        raise Misconfigured("lightgbm_not_installed") from error


@dataclass(frozen=True, eq=False)
class BoostedRanker:
    """Trees of the scaled features.

    Args:
        scaling: of the features. trees: LightGBM's own text.
    """

    scaling: Scaling
    trees: str

    kind = "lightgbm"

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it reads."""
        return self.scaling.features

    @cached_property
    def _booster(self) -> Any:
        library = lightgbm()
        try:
            return library.Booster(model_str=self.trees)
        except library.basic.LightGBMError as error:
            raise CorruptCheckpoint(f"the trees cannot be read: {error}") from error

    def score(self, x: np.ndarray) -> np.ndarray:
        """Sum of the trees; see ``Ranker``."""
        if not len(x):
            return np.empty(0, np.float32)
        return np.asarray(self._booster.predict(self.scaling.inputs(x), num_threads=1), np.float32)

    def to_bytes(self) -> bytes:
        """See ``Ranker``."""
        text = np.frombuffer(self.trees.encode(), np.uint8)
        return pack(KIND + self.kind, {**self.scaling.tensors(), "trees": text}, self.scaling.record())

    @classmethod
    def from_bytes(cls, data: bytes) -> BoostedRanker:
        """Read what ``to_bytes`` gave.

        Raises:
            Misconfigured: LightGBM is not installed.
        """
        found = unpack(data, KIND + "lightgbm")
        ranker = cls(scaling_of(found), found.tensors["trees"].tobytes().decode())
        _ = ranker._booster  # unreadable trees are found now, not at the first visitor
        return ranker


def fit_boosted(lessons: Lessons, *, seed: int = 0, rounds: int = ROUNDS, **changed: Any) -> BoostedRanker:
    """LambdaMART on whole listings.

    Args:
        lessons: at least one listing of which something was chosen.
        seed: of what is drawn. rounds: trees. changed: parameters of LightGBM, in place of ours.

    Raises:
        Misconfigured: LightGBM is not installed.

    Source: Burges, "From RankNet to LambdaRank to LambdaMART", MSR-TR-2010-82.
    """
    scaling = fit_scaling(lessons.x)
    parts = [scaling.inputs(lessons.x[lessons.rows(listing)]) for listing in range(len(lessons))]
    text = fit_trees(
        np.concatenate(parts), targets(lessons), lessons.starts, seed=seed, rounds=rounds, **changed
    )
    return BoostedRanker(scaling, text)


def fit_trees(
    x: np.ndarray, wanted: np.ndarray, starts: np.ndarray, *, seed: int, rounds: int, **changed: Any
) -> str:
    """LightGBM's text of trees.

    Args:
        x: (M, F). wanted: how much each row is, 0 or more, (M,). starts: of the listings, (G + 1,).
    """
    library = lightgbm()
    most = float(wanted.max(initial=0.0)) or 1.0
    equal = len(np.unique(wanted[wanted > 0])) <= 1
    grades = (wanted > 0).astype(int) if equal else np.ceil(GRADES * wanted / most).astype(int)
    settings = {**PARAMETERS, "label_gain": list(range(GRADES + 1)), "seed": seed, **changed}
    data = library.Dataset(x, grades, group=np.diff(starts), free_raw_data=True)
    return str(library.train(settings, data, num_boost_round=rounds).model_to_string())
