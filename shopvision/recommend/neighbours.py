"""Neighbours: for each item the few that go with it, in fixed width; from a matrix or from pairs."""

from __future__ import annotations

from dataclasses import dataclass

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
    """The heaviest of each row; weights of 0 and below, and an item with itself, are left out.

    Args:
        matrix: weight of each item (column) for each item (row), (N, N).
        width: most neighbours kept.
    """
    count = len(matrix)
    wide = min(width, max(count, 1))
    ids, weights = np.full((count, wide), -1, np.int32), np.zeros((count, wide), np.float32)
    for start in range(0, count, ROWS_AT_ONCE):
        part = np.array(matrix[start : start + ROWS_AT_ONCE], np.float32)
        part[np.arange(len(part)), start + np.arange(len(part))] = 0
        best = np.argpartition(part, count - wide, axis=1)[:, count - wide :]
        heavy = np.take_along_axis(part, best, axis=1)
        order = np.argsort(-heavy, axis=1, kind="stable")
        heavy = np.take_along_axis(heavy, order, axis=1)
        found = np.take_along_axis(best, order, axis=1)
        ids[start : start + len(part)] = np.where(heavy > 0, found, -1)
        weights[start : start + len(part)] = np.maximum(heavy, 0)
    return Neighbours(ids, weights)


def from_pairs(
    source: np.ndarray, target: np.ndarray, weight: np.ndarray, count: int, width: int = WIDTH
) -> Neighbours:
    """The heaviest targets of each source; equal pairs are added up, an item with itself is left out.

    Args:
        source, target: item numbers, (n,). weight: positive, (n,).
        count: of all items.
        width: most neighbours kept.
    """
    wide = min(width, max(count, 1))
    ids, weights = np.full((count, wide), -1, np.int32), np.zeros((count, wide), np.float32)
    apart = (source != target) & (weight > 0)
    source, target, total = add_up(source[apart], target[apart], weight[apart], count)
    order = np.lexsort((target, -total, source))
    source, target, total = source[order], target[order], total[order]
    rank = np.arange(len(source)) - np.searchsorted(source, source, side="left")
    kept = rank < wide
    ids[source[kept], rank[kept]] = target[kept]
    weights[source[kept], rank[kept]] = total[kept]
    return Neighbours(ids, weights)


def add_up(
    source: np.ndarray, target: np.ndarray, weight: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Equal pairs once, with the sum of their weights, by source and target."""
    key = source.astype(np.int64) * count + target
    if count <= DENSE_ITEMS:
        sums = np.bincount(key, weight, minlength=0)
        found = np.flatnonzero(sums)
        return found // max(count, 1), found % max(count, 1), sums[found]
    found, place = np.unique(key, return_inverse=True)
    return found // count, found % count, np.bincount(place, weight, minlength=len(found))
