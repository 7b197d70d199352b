"""Open-set recognition: probability that an example carries any of the known labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .base import sigmoid, softmax
from .logistic import fit_balanced_binary

RIDGE = 3.0  # pull of the slopes to zero, in examples


@dataclass(frozen=True, slots=True)
class OpenSet:
    """A logistic regression on ``features``, standardised.

    Args:
        mean, scale: of each feature.
        weights: intercept first.
    """

    mean: tuple[float, ...] = (0.7, 2.0, 0.5)
    scale: tuple[float, ...] = (0.2, 2.0, 0.2)
    weights: tuple[float, ...] = (1.0, 0.5, 0.0, 1.0)  # energy has no scale of its own

    def known(self, logits: np.ndarray, nearness: np.ndarray) -> np.ndarray:
        """Probability that it is any of the labels, float32 (N,)."""
        return self.of_features(features(logits, nearness))

    def of_features(self, rows: np.ndarray) -> np.ndarray:
        """The same from ``features``."""
        return sigmoid(self.weights[0] + (rows - self.mean) / self.scale @ np.array(self.weights[1:])).astype(
            np.float32
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[float]]) -> OpenSet:
        """Read what ``as_dict`` gave."""
        return cls(**{name: tuple(float(v) for v in row) for name, row in values.items()})


def features(logits: np.ndarray, nearness: np.ndarray) -> np.ndarray:
    """What the doubt looks at: the largest probability, the energy of the logits, the nearest centre's cosine.

    Args:
        logits: (N, C), scaled as for the softmax. nearness: cosine to each centre, (N, C).

    Returns:
        float64 (N, 3).

    Source: Hendrycks & Gimpel, ICLR 2017 (largest probability); Liu et al., NeurIPS 2020 (energy).
    """
    top = logits.max(axis=1)
    energy = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return np.column_stack([softmax(logits).max(axis=1), energy, nearness.max(axis=1)]).astype(np.float64)


def fit_open_set(rows: np.ndarray, known: np.ndarray) -> OpenSet:
    """Learn the doubt from things whose label had been left out of the training.

    Args:
        rows: ``features`` of things that the classifier had not seen, (N, F).
        known: bool (N,), whether their label was among those it had been trained on.

    Returns:
        the defaults when one of the kinds is missing.
    """
    if not known.any() or known.all():
        return OpenSet()
    fitted = fit_balanced_binary(rows, known, ridge=RIDGE)
    return OpenSet(*(tuple(round(float(v), 6) for v in part) for part in fitted))
