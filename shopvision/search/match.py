"""Percentile of a similarity against the shop's own background; does the shop sell it at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..types import Match

LEVELS = (*range(0, 99), *(99 + step / 20 for step in range(21)))
"""Percentiles kept: whole numbers to 98, then every twentieth, where nearly all answers lie."""
NEIGHBOURS = 10  # similarities of the nearest products that the decision looks at
STRONG, WEAK = 0.75, 0.4  # probability that the shop sells it, from which a match is called so
PRIOR_SAMPLES = 20  # pull of the default weights on the fitted ones, in examples
DEFAULT_WEIGHTS = (-4.0, 6.0, 8.0, 0.0, 0.0)  # used until a shop has enough photos to learn its own


def background(vectors: np.ndarray, products: np.ndarray, *, limit: int = 2000) -> list[float]:
    """Quantiles at ``LEVELS`` of the similarity between photos of different products.

    Args:
        vectors: float32 (N, D) unit rows, as the index keeps them. products: int (N,).
        limit: photos sampled evenly; pairs grow with its square.

    Returns:
        one similarity per level, rising; empty when there are no two products.
    """
    step = max(1, len(vectors) // limit)
    rows, names = vectors[::step], products[::step]
    pairs = (rows @ rows.T)[names[:, None] != names[None, :]]
    return [round(float(q), 5) for q in np.percentile(pairs, LEVELS)] if len(pairs) else []


def percentile(similarity: float, quantiles: Sequence[float]) -> float:
    """Share (0-100) of unrelated pairs that are less alike; 0.0 without a background."""
    if not quantiles:
        return 0.0
    return float(np.interp(similarity, quantiles, LEVELS))


def features(similarities: np.ndarray, quantiles: Sequence[float]) -> np.ndarray:
    """What the no-match decision sees of one query, float64 (5,).

    Args:
        similarities: of the nearest products, best first; at least one.

    Returns:
        1; the best similarity; its lead over the mean of the next four; its lead over the tenth; and the
        best in units of the background's spread.
    """
    s = np.asarray(similarities, float)[:NEIGHBOURS]
    rest = s[1:5].mean() if len(s) > 1 else 0.0
    middle, high = (quantiles[50], quantiles[95]) if quantiles else (0.0, 1.0)
    return np.array([1.0, s[0], s[0] - rest, s[0] - s[-1], (s[0] - middle) / max(high - middle, 1e-3) / 10])


def fit_no_match(rows: np.ndarray, sold: np.ndarray) -> list[float]:
    """Weights of a logistic regression that says whether the shop sells what a photo shows.

    Args:
        rows: ``features`` of photos, (N, 5). sold: bool (N,), whether the product was in the index.

    Returns:
        five weights; the defaults when one of the two kinds is missing. Ridge towards the defaults.
    """
    weights = np.array(DEFAULT_WEIGHTS)
    if not sold.any() or sold.all():
        return list(DEFAULT_WEIGHTS)
    balance = np.where(sold, 0.5 / sold.mean(), 0.5 / (1 - sold.mean()))
    prior = np.array(DEFAULT_WEIGHTS)
    for _ in range(50):  # Newton's method; ten steps are enough, the rest cost nothing
        p = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (balance * (p - sold)) + (weights - prior) * PRIOR_SAMPLES / 100
        curve = (rows * (balance * p * (1 - p))[:, None]).T @ rows + np.eye(5) * PRIOR_SAMPLES / 100
        weights = weights - np.linalg.solve(curve, slope)
    return [round(float(w), 5) for w in weights]


def decide(similarities: np.ndarray, record: Mapping[str, Any]) -> Match:
    """Strong, weak or no match, with the probability that the shop sells it; nothing found is no match.

    Args:
        similarities: of the nearest products, best first.
        record: ``EncoderRelease.background``: ``quantiles`` and ``no_match``.
    """
    if not len(similarities):
        return Match("none", 0.0)
    row = features(similarities, record.get("quantiles") or [])
    weights = np.array(record.get("no_match") or DEFAULT_WEIGHTS)
    probability = float(1 / (1 + np.exp(-np.clip(row @ weights, -30, 30))))
    level = "strong" if probability >= STRONG else "weak" if probability >= WEAK else "none"
    return Match(level, probability)
