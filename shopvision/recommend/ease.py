"""EASE: the item-item ridge regression that predicts each item from the others."""

from __future__ import annotations

import numpy as np

from .interactions import Interactions
from .neighbours import WIDTH, Neighbours, from_matrix

MOST_ITEMS = 8192  # inverted at once: 256 MB and some seconds; the items that occur most
RIDGE = 200.0  # per item, in subjects


def ease(log: Interactions, count: int, *, ridge: float = RIDGE, width: int = WIDTH) -> Neighbours:
    """Weights with which having one item predicts another.

    With X the subjects' items (1 where a subject has one), ``G = X'X + ridge I`` and ``P = G^-1``:
    ``B_ij = -P_ij / P_jj``, and 0 on the diagonal. Row i of B holds what item i predicts. Only the
    ``MOST_ITEMS`` that most subjects have are looked at.

    Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
    """
    pairs = np.unique(log.subjects.astype(np.int64) * max(count, 1) + log.items)
    subjects, items = pairs // max(count, 1), pairs % max(count, 1)
    held = np.bincount(items, minlength=count)
    chosen = np.sort(np.argsort(-held, kind="stable")[:MOST_ITEMS])
    chosen = chosen[held[chosen] > 0]
    place = np.full(count, -1)
    place[chosen] = np.arange(len(chosen))
    inside = place[items] >= 0
    gram = _gram(subjects[inside], place[items[inside]], len(chosen))
    gram[np.diag_indices_from(gram)] += ridge
    inverse = np.linalg.inv(gram)
    weights = from_matrix(-inverse / np.diag(inverse), width)
    ids = np.full((count, weights.ids.shape[1]), -1, np.int32)
    values = np.zeros(ids.shape, np.float32)
    ids[chosen] = np.where(weights.ids >= 0, chosen[weights.ids], -1)
    values[chosen] = weights.weights
    return Neighbours(ids, values)


def _gram(subjects: np.ndarray, items: np.ndarray, count: int) -> np.ndarray:
    """How many subjects have both, float32 (N, N); subjects in parts, so that X is never whole."""
    gram = np.zeros((count, count), np.float32)
    names, rows = np.unique(subjects, return_inverse=True)
    for start in range(0, len(names), 2048):
        part = (rows >= start) & (rows < start + 2048)
        dense = np.zeros((min(2048, len(names) - start), count), np.float32)
        dense[rows[part] - start, items[part]] = 1
        gram += dense.T @ dense
    return gram
