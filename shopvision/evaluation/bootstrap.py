"""Cluster bootstrap: percentile intervals of means and ratios, drawing whole groups with replacement.

Photos of one product, and listings of one visitor, go well or badly together; so the group is what is drawn.

Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVEL = 0.95
RESAMPLES = 2000
RESAMPLES_AT_ONCE = 200  # of 10,000 groups: 24 MB
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Ratio:
    """One mean over another.

    Args:
        value: mean of ours over mean of theirs.
        low, high: bounds of its interval.
    """

    value: float
    low: float
    high: float


def mean_interval(
    values: np.ndarray, groups: np.ndarray, *, weights: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of a mean, ``sum w v / sum w``.

    Args:
        values: of each row, (N,). groups: of each row, (N,).
        weights: of the rows, (N,); None weighs all alike.
        seed: of the draws.

    Returns:
        Lower and upper bound; (nan, nan) without rows, (0, 0) without weight.
    """
    share = np.ones(len(values)) if weights is None else weights
    if len(values) and not share.sum():
        return 0.0, 0.0
    return ratio_interval(values * share, share, groups, seed=seed)


def ratio_interval(
    top: np.ndarray,
    bottom: np.ndarray,
    groups: np.ndarray,
    *,
    level: float = LEVEL,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:
    """Interval of ``sum top / sum bottom``, both of the same draw; draws whose bottom is 0 are left out.

    Args:
        top, bottom: of each row, (N,). groups: of each row, (N,).
        level: share of the draws that lies inside.

    Returns:
        Lower and upper bound; (nan, nan) without rows, or where the bottom is 0.
    """
    if not len(top) or not bottom.sum():
        return NAN, NAN
    _, place = np.unique(groups, return_inverse=True)
    sums = np.stack([np.bincount(place, top), np.bincount(place, bottom)])
    draw, count = np.random.default_rng(seed), sums.shape[1]
    found = []
    for start in range(0, resamples, RESAMPLES_AT_ONCE):
        size = min(RESAMPLES_AT_ONCE, resamples - start)
        drawn = draw.integers(0, count, (size, count), dtype=np.int32)
        above, below = (one.take(drawn).sum(axis=1) for one in sums)
        found.append(above / np.where(below > 0, below, np.nan))
    tail = (1 - level) / 2
    low, high = np.nanquantile(np.concatenate(found), [tail, 1 - tail])
    return float(low), float(high)


def ratio_of_means(
    ours: np.ndarray, theirs: np.ndarray, groups: np.ndarray, *, seed: int = 0, resamples: int = RESAMPLES
) -> Ratio:
    """Our mean over theirs with its 95 % interval; nan where theirs is 0, or without rows.

    Args:
        ours, theirs: a measure of each row, (N,). groups: of each row, (N,).
    """
    low, high = ratio_interval(ours, theirs, groups, seed=seed, resamples=resamples)
    return Ratio(float(ours.mean() / theirs.mean()) if np.isfinite(low) else NAN, low, high)
