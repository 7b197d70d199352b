"""Confident learning: examples that are probably mislabelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
