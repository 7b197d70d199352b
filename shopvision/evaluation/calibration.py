"""Calibration error, reliability bins and Brier score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Examples of like probability.

    Args:
        probability: mean of the largest probabilities.
        accuracy: share that was right.
        count: examples.
    """

    probability: float
    accuracy: float
    count: int


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS, equal_mass: bool = True
) -> list[Bin]:
    """Bins of the largest probability, rising; empty ones left out.

    Args:
        probabilities: (N, C). labels: int (N,).
        bins: at most so many.
        equal_mass: as many examples in each (to one); else each as wide as the others, ``((b-1)/B, b/B]``.
    """
    if not len(labels):
        return []
    sure = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    order = np.argsort(sure, kind="stable")
    if equal_mass:
        parts = np.array_split(order, min(bins, len(order)))
    else:
        place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
        parts = [np.flatnonzero(place == one) for one in range(bins)]
    return [
        Bin(float(sure[rows].mean()), float(right[rows].mean()), len(rows)) for rows in parts if len(rows)
    ]


def calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = BINS, equal_mass: bool = True
) -> float:
    """Expected calibration error of the largest probability; nan without examples.

    ``ECE = sum_b |B_b| / N * |accuracy(B_b) - mean probability(B_b)|``. Ours is over 15 bins of equal mass
    (no bin is nearly empty, so it is less noisy); most papers use equal width.

    Source: Naeini et al., AAAI 2015; Nixon et al., CVPR Workshops 2019 (equal mass).
    """
    found = reliability(probabilities, labels, bins=bins, equal_mass=equal_mass)
    total = sum(one.count for one in found)
    if not total:
        return float("nan")
    return sum(one.count * abs(one.accuracy - one.probability) for one in found) / total


def brier(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """``mean over examples of sum_c (p_c - [c = y])^2``, 0 (perfect) to 2; nan without examples.

    Source: Brier, Monthly Weather Review 1950.
    """
    if not len(labels):
        return float("nan")
    truth = np.zeros_like(probabilities)
    truth[np.arange(len(labels)), labels] = 1
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())
