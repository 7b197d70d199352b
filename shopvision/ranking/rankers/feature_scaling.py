"""Standardise ranking features globally and within a listing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...checkpoints import Checkpoint, IncompatibleCheckpoint
from ..features import FEATURES, PLACE

KIND = "ranker-"
"""Before a ranker's kind in its checkpoint."""
FURTHEST = 6.0  # standard deviations beyond which a value says no more
LEAST = 1e-3  # deviation below which a column is taken to be constant


@dataclass(frozen=True, slots=True, eq=False)
class Scaling:
    """Columns, with the mean and the deviation of each.

    Args:
        features: names of ``FEATURES``.
        mean, scale: float32 (F,).
    """

    features: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray

    def inputs(self, x: np.ndarray) -> np.ndarray:
        """Each column standardised twice, by all listings and within this one, float32 (L, 2F).

        What a listing's own standard is says how good a candidate is *among these*: the strengths of
        co-visitation differ by an order of magnitude between a listing of new things and one of best sellers.
        """
        x = x[:, self._columns()]
        count = len(self.features)
        out = np.empty((len(x), 2 * count), np.float32)
        if not len(x):
            return out
        out[:, :count] = (x - self.mean) / self.scale
        own = x - x.mean(axis=0)
        out[:, count:] = own / (np.sqrt(np.mean(own * own, axis=0)) + LEAST)
        return np.asarray(np.minimum(np.maximum(out, -FURTHEST), FURTHEST))

    def _columns(self) -> np.ndarray:
        return np.array([PLACE[name] for name in self.features], np.int64)

    def tensors(self) -> dict[str, np.ndarray]:
        """For a checkpoint, beside ``record``."""
        return {"mean": self.mean, "scale": self.scale}

    def record(self) -> dict[str, list[str]]:
        """For a checkpoint, beside ``tensors``."""
        return {"features": list(self.features)}


def fit_scaling(x: np.ndarray, features: Sequence[str] = FEATURES) -> Scaling:
    """From rows of training listings; columns that never change are left out.

    Args:
        x: all the columns of ``FEATURES``, (M, F).
        features: to read.
    """
    kept = tuple(name for name in features if len(x) and np.ptp(x[:, PLACE[name]]) > LEAST)
    part = x[:, [PLACE[name] for name in kept]]
    mean = part.mean(axis=0, dtype=np.float64).astype(np.float32)
    return Scaling(kept, mean, part.std(axis=0, dtype=np.float64).astype(np.float32) + np.float32(LEAST))


def scaling_of(checkpoint: Checkpoint) -> Scaling:
    """The scaling in a ranker's checkpoint.

    Raises:
        IncompatibleCheckpoint: this version makes no such feature.
    """
    names = tuple(checkpoint.record["features"])
    check_features(names)
    return Scaling(names, checkpoint.tensors["mean"], checkpoint.tensors["scale"])


def check_features(names: Sequence[str] | Mapping[str, float]) -> None:
    """Refuse columns that are not made any more.

    Raises:
        IncompatibleCheckpoint: this version makes no such feature.
    """
    missing = sorted(set(names) - set(FEATURES))
    if missing:
        raise IncompatibleCheckpoint(
            f"the ranker reads {missing}, which this version does not make; train again"
        )
