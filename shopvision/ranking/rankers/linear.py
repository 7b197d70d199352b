"""Linear ranker, trained listwise in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...checkpoints import pack, unpack
from ...classifiers.logistic import minimize
from ..training.examples import Lessons
from .feature_scaling import KIND, Scaling, fit_scaling, scaling_of

OTHERS = 64  # products of a listing that were not chosen and are learned from; more say little
RIDGE = 1e-3  # pull to zero, in the units of the mean loss of a listing


@dataclass(frozen=True, eq=False)
class LinearRanker:
    """Weights of the scaled features.

    Args:
        scaling: of the features. weights: of its inputs, float32 (2F,).
    """

    scaling: Scaling
    weights: np.ndarray

    kind = "linear"

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it weighs."""
        return self.scaling.features

    def score(self, x: np.ndarray) -> np.ndarray:
        """Weighted sum; see ``Ranker``."""
        return np.asarray(self.scaling.inputs(x) @ self.weights, np.float32)

    def to_bytes(self) -> bytes:
        """See ``Ranker``."""
        tensors = {**self.scaling.tensors(), "weights": self.weights}
        return pack(KIND + self.kind, tensors, self.scaling.record())

    @classmethod
    def from_bytes(cls, data: bytes) -> LinearRanker:
        """Read what ``to_bytes`` gave."""
        found = unpack(data, KIND + "linear")
        return cls(scaling_of(found), found.tensors["weights"])


def fit_linear(lessons: Lessons, *, ridge: float = RIDGE) -> LinearRanker:
    """The weights under which what was chosen is likeliest to be chosen first.

    Minimises the mean over listings of ``- sum_i t_i log softmax(s)_i`` with ``t`` the answers (times their
    weights) over their sum, plus ``ridge / 2 |w|^2``: convex, so there is one answer. A listing of which
    nothing was chosen says nothing.

    Args:
        lessons: at least one listing of which something was chosen.
        ridge: pull to zero.

    Source: Cao et al., "Learning to rank: from pairwise approach to listwise approach" (ListNet), ICML 2007.
    """
    scaling = fit_scaling(lessons.x)
    kept, ends = _thinned(lessons)
    rows, target = scaled(scaling, lessons)[kept], targets(lessons)[kept]
    starts, sizes = ends[:-1], np.diff(ends)
    share = np.add.reduceat(target, starts)
    count = max(float((share > 0).sum()), 1.0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = rows @ weights.astype(np.float32)
        scores -= np.repeat(np.maximum.reduceat(scores, starts), sizes)
        odds = np.exp(scores)
        total = np.add.reduceat(odds, starts)
        value = -float(target @ scores - share @ np.log(total)) / count
        slope = rows.T @ (odds * np.repeat(share / total, sizes) - target)
        slope = slope.astype(np.float64) / count + ridge * weights
        return value + ridge / 2 * float(weights @ weights), slope

    weights = minimize(loss, np.zeros(rows.shape[1]))
    return LinearRanker(scaling, weights.astype(np.float32))


def _thinned(lessons: Lessons) -> tuple[np.ndarray, np.ndarray]:
    """Rows of what was chosen and of at most ``OTHERS`` evenly spaced others of each listing; where each begins."""
    sizes = np.diff(lessons.starts)
    listing = np.repeat(np.arange(len(sizes)), sizes)
    other = lessons.chosen <= 0
    count = np.bincount(listing, other, minlength=len(sizes))
    place: np.ndarray = np.cumsum(other) - np.repeat(
        np.cumsum(count) - count, sizes
    )  # from 1, among the listing's others
    step = np.repeat(np.maximum(count / OTHERS, 1), sizes)
    kept = ~other | (np.ceil(place / step) != np.ceil((place - 1) / step))
    left = np.bincount(listing, kept, minlength=len(sizes)).astype(np.int64)
    return np.flatnonzero(kept), np.concatenate([[0], np.cumsum(left)])


def scaled(scaling: Scaling, lessons: Lessons) -> np.ndarray:
    """A ranker's inputs of all listings, float32 (M, 2F)."""
    parts = [scaling.inputs(lessons.x[lessons.rows(listing)]) for listing in range(len(lessons))]
    return np.concatenate([np.empty((0, 2 * len(scaling.features)), np.float32), *parts])


def targets(lessons: Lessons) -> np.ndarray:
    """What was chosen, times its weight, so that each listing sums to 1, or to 0 if nothing was; (M,)."""
    given = lessons.chosen * lessons.weights
    sums = np.add.reduceat(given, lessons.starts[:-1]) if len(lessons) else np.empty(0)
    return np.asarray(given / np.repeat(np.where(sums > 0, sums, 1), np.diff(lessons.starts)), np.float32)
