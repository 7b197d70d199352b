"""Labels worth a second look: likely wrong, in conflict with a copy, or too few."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

NEAR_COPY_BITS = 4  # of a 64-bit difference hash: what recompression and resizing change
SEGMENTS = 5  # two hashes that differ in 4 bits agree in one of 5 segments


@dataclass(frozen=True, slots=True)
class Suspect:
    """An example whose label a model that had not seen it would not have given.

    Args:
        row: of the arrays.
        label: it has.
        suggested: label the model gives.
        doubt: how much surer the model is of its own than of the given label, 0-1.
    """

    row: int
    label: int
    suggested: int
    doubt: float


def likely_mislabelled(
    probabilities: np.ndarray, labels: np.ndarray, *, limit: int | None = None
) -> list[Suspect]:
    """Examples that are probably mislabelled, the most likely first (confident learning).

    Label c's bar is ``t_c``, the mean of ``p_c`` over the examples labelled c. An example is a suspect when
    another label than its own reaches its bar, and more surely so than its own does:
    ``p_s >= t_s`` and ``p_s > p_y``. Ranked by the margin ``p_s - p_y``.

    Args:
        probabilities: out of fold, (N, C). labels: int (N,).
        limit: at most so many.

    Source: Northcutt et al., "Confident Learning", JAIR 2021 (normalised margin).
    """
    count = probabilities.shape[1]
    bar = np.array(
        [
            probabilities[labels == label, label].mean() if (labels == label).any() else np.inf
            for label in range(count)
        ]
    )
    reached = np.where(probabilities >= bar, probabilities, -np.inf)
    rows = np.arange(len(labels))
    reached[rows, labels] = -np.inf
    if not len(labels):
        return []
    suggested = reached.argmax(axis=1)
    margin = reached[rows, suggested] - probabilities[rows, labels]
    order = [int(row) for row in np.argsort(-margin, kind="stable") if margin[row] > 0]
    return [Suspect(row, int(labels[row]), int(suggested[row]), float(margin[row])) for row in order[:limit]]


def copies_in_conflict(
    hashes: np.ndarray, labels: np.ndarray, groups: np.ndarray, *, bits: int = NEAR_COPY_BITS
) -> list[tuple[int, ...]]:
    """Photos of different products that are nearly the same picture, yet carry different labels.

    Connected by hashes at most ``bits`` apart; only sets with two labels or more are told, rows rising.

    Args:
        hashes: 64-bit difference hashes (``images.quality.difference_hash``), int64 (N,).
        labels, groups: label and product of each photo, int (N,).
        bits: 0 to 4.

    Raises:
        ValueError: more bits than the segments can find.
    """
    if not 0 <= bits < SEGMENTS:
        raise ValueError(f"copies are looked for within 0 to {SEGMENTS - 1} bits, not {bits}")
    words = hashes.astype(np.int64).view(np.uint64)
    parent = list(range(len(words)))
    for a, b in _candidates(words):
        if int(np.bitwise_count(words[a] ^ words[b])) <= bits:
            parent[_root(parent, a)] = _root(parent, b)
    together: dict[int, list[int]] = defaultdict(list)
    for row in range(len(words)):
        together[_root(parent, row)].append(row)
    return [
        tuple(rows)
        for rows in together.values()
        if len({int(labels[row]) for row in rows}) > 1 and len({int(groups[row]) for row in rows}) > 1
    ]


def _candidates(words: np.ndarray) -> set[tuple[int, int]]:
    """Pairs that agree in a segment of their hash; photos of one hash are paired with the first of them only."""
    pairs: set[tuple[int, int]] = set()
    for segment in range(SEGMENTS):
        shift, width = 13 * segment, min(13, 64 - 13 * segment)
        keys = (words >> np.uint64(shift)) & np.uint64((1 << width) - 1)
        order = np.argsort(keys, kind="stable")
        edges = np.flatnonzero(np.diff(keys[order])) + 1
        for bucket in np.split(order, edges):
            first: dict[int, int] = {}
            for row in bucket.tolist():
                same = first.setdefault(int(words[row]), row)
                if same != row:
                    pairs.add((same, row))
            rows = list(first.values())
            pairs.update((a, b) for i, a in enumerate(rows) for b in rows[i + 1 :])
    return pairs


def _root(parent: list[int], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = parent[row]
    return row


def too_small(labels: np.ndarray, groups: np.ndarray, count: int, least: int) -> list[int]:
    """Labels with fewer than ``least`` different products, the fewest first."""
    sizes = [len(np.unique(groups[labels == label])) for label in range(count)]
    return sorted((label for label in range(count) if sizes[label] < least), key=lambda one: sizes[one])
