"""How many labels would be enough: parts of what is labelled, for a learning curve."""

from __future__ import annotations

import math

import numpy as np

from .labelled import stratified_folds

DRAWS = 4  # parts of a share at least: one part of a quarter of 700 photos is off by 2 points


def parts(targets: np.ndarray, groups: np.ndarray, share: float, *, seed: int = 0) -> list[np.ndarray]:
    """Row numbers of several parts of a share, each with its part of every label's products.

    The set is cut into ``1 / share`` parts that share no product, again with another seed until there are
    ``DRAWS`` parts: every example counts equally often, so that the mean over the parts is even.

    Args:
        targets: int (N,). groups: product of each example, int (N,).
        share: one over a whole number, 1 / 2 at most.
        seed: of the cuts.
    """
    count = round(1 / share)
    found = []
    for cut in range(math.ceil(DRAWS / count)):
        part_of = stratified_folds(targets, groups, count, seed=seed + cut)
        found += [np.flatnonzero(part_of == part) for part in range(count)]
    return found
