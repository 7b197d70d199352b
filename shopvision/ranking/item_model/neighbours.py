"""Fixed-width lists of nearest items, from a matrix or from pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

WIDTH = 64  # neighbours kept of an item: 51 MB a signal at 100,000 items
DENSE_ITEMS = 8192  # up to here pairs are added up in one matrix (256 MB), beyond by sorting them
ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """For each item the items that go with it, heaviest first.

    Args:
        ids: int32 (N, W); -1 where there are fewer.
        weights: float32 (N, W); 0 where there are fewer.
    """

    ids: np.ndarray
    weights: np.ndarray


def from_matrix(matrix: np.ndarray, width: int = WIDTH) -> Neighbours:
    """The heaviest of each row, of equals the first; weights of 0 and below, and an item with itself, are left out.

    Args:
        matrix: weight of each item (column) for each item (row), (N, N).
        width: most neighbours kept.
    """
    count = len(matrix)
    wide = min(width, max(count, 1))
    ids, weights = np.full((count, wide), -1, np.int32), np.zeros((count, wide), np.float32)
    backwards = np.arange(count, dtype=np.uint64)[::-1]
    for start in range(0, count, ROWS_AT_ONCE):
        part = np.maximum(matrix[start : start + ROWS_AT_ONCE], 0, dtype=np.float32)
        part += 0  # a zero with a sign has the largest bits
        part[np.arange(len(part)), start + np.arange(len(part))] = 0
        # a float's bits rise with it; with the place behind them no two are equal, which partitions 5x faster
        keys = part.view(np.uint32).astype(np.uint64) << np.uint64(32) | backwards
        best = np.sort(np.partition(keys, count - wide, axis=1)[:, count - wide :], axis=1)[:, ::-1]
        heavy = (best >> np.uint64(32)).astype(np.uint32).view(np.float32)
        found = count - 1 - (best & np.uint64(2**32 - 1)).astype(np.int64)
        ids[start : start + len(part)] = np.where(heavy > 0, found, -1)
        weights[start : start + len(part)] = heavy
    return Neighbours(ids, weights)


class Pairs(NamedTuple):
    """Pairs of items with what they weigh; equal pairs may occur often. All of one length.

    Args:
        source, target: item numbers. weight: positive.
    """

    source: np.ndarray
    target: np.ndarray
    weight: np.ndarray

    def both_ways(self) -> Pairs:
        """Each pair and its opposite."""
        return Pairs(
            np.concatenate([self.source, self.target]),
            np.concatenate([self.target, self.source]),
            np.concatenate([self.weight, self.weight]),
        )


def from_sums(
    sums: np.ndarray, of_source: np.ndarray, of_target: np.ndarray, width: int = WIDTH
) -> Neighbours:
    """The heaviest targets of each source: a matrix of sums, (N, N), times the factors of both, (N,)."""
    factors = of_source.astype(np.float32)[:, None] * sums
    return from_matrix(factors * of_target.astype(np.float32), width)


def from_pairs(pairs: Pairs, of_source: np.ndarray, of_target: np.ndarray, width: int = WIDTH) -> Neighbours:
    """The same of pairs, without a matrix: the sum of equal pairs, times the source's and the target's factor.

    Args:
        of_source, of_target: factors of each item, (N,).
        width: most neighbours kept.
    """
    count = len(of_source)
    apart = pairs.source != pairs.target
    key = pairs.source[apart].astype(np.int64) * count + pairs.target[apart]
    key, place = np.unique(key, return_inverse=True)
    source, target = key // count, key % count
    total = np.bincount(place, pairs.weight[apart], minlength=len(key))
    total = total * of_source[source] * of_target[target]
    order = np.lexsort((-total, source))
    source, target, total = source[order], target[order], total[order]
    rank = np.arange(len(source)) - np.searchsorted(source, source, side="left")
    kept = rank < width
    ids, weights = np.full((count, width), -1, np.int32), np.zeros((count, width), np.float32)
    ids[source[kept], rank[kept]] = target[kept]
    weights[source[kept], rank[kept]] = total[kept]
    return Neighbours(ids, weights)
