"""Percentile of a similarity against the shop's own background; does the shop sell it at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..types import Match
from ..vision.classifier import sigmoid
from ..vision.logistic import tell_apart

LEVELS = (*range(0, 99), *(99 + step / 20 for step in range(21)))
"""Percentiles kept: whole numbers to 98, then every twentieth, where nearly all answers lie."""
LEAD = 2  # place of the lead's weight, after the intercept's and the best similarity's
NEIGHBOURS = 5  # similarities of the nearest products that the decision looks at
STRONG, WEAK = 0.75, 0.4  # probability that the shop sells it, from which a match is called so
SELDOM = 0.69  # ln 2: products expected to come as near by chance, for even odds that not one does
TAUGHT_BY = 500  # examples: a threshold learnt from fewer, of a few dozen products, is not relied on alone
RIDGE = 10.0  # pull of the weights to zero, in examples: the catalogue's photos are not shoppers' photos
DEFAULT = {"mean": [0.4, 0.1], "scale": [0.15, 0.08], "weights": [0.0, 1.5, 0.5]}
"""Used until a shop has two product kinds to learn from; from the middle of what the benchmark sets gave."""


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


def percentiles(similarities: Sequence[float], quantiles: Sequence[float]) -> list[float | None]:
    """Share (0-100) of unrelated pairs that are less alike than each; None without a background."""
    if not quantiles:
        return [None] * len(similarities)
    return list(np.interp(similarities, quantiles, LEVELS).tolist())


def features(similarities: np.ndarray) -> np.ndarray:
    """What the no-match decision sees of one query, float64 (2,).

    The best similarity, and its lead over the mean of the next four. Leads over the second or the tenth,
    distances to centroids and their deviations were tried beside these two and added nothing.

    Args:
        similarities: of the nearest products, best first; at least one.
    """
    s = np.asarray(similarities, float)[:NEIGHBOURS]
    return np.array([s[0], s[0] - (s[1:].mean() if len(s) > 1 else 0.0)])


def fit_no_match(rows: np.ndarray, sold: np.ndarray) -> dict[str, list[float]]:
    """A logistic regression that says whether the shop sells what a photo shows.

    Args:
        rows: ``features`` of photos, (N, 2). sold: bool (N,), whether the product was in the index.

    Returns:
        ``mean``, ``scale`` and ``weights`` (intercept first); the defaults when one of the kinds is missing.
    """
    if not sold.any() or sold.all():
        return DEFAULT
    mean, scale, weights = tell_apart(rows, sold, ridge=RIDGE)
    if (
        weights[LEAD] < 0
    ):  # a hit that stands out never speaks against itself; kinds left out may seem to say so
        weights[:LEAD], weights[LEAD] = tell_apart(rows[:, :1], sold, ridge=RIDGE)[2], 0.0
    fitted = {"mean": mean, "scale": scale, "weights": weights}
    return {name: [round(float(v), 6) for v in values] for name, values in fitted.items()}


def _by_chance(best: float, record: Mapping[str, Any]) -> float:
    """How many products as near as the best would be expected if none of them had to do with the photo."""
    (share,) = percentiles([best], record.get("quantiles") or [])
    return np.inf if share is None else (100 - share) / 100 * record.get("products", np.inf)


def decide(similarities: np.ndarray, record: Mapping[str, Any]) -> Match:
    """Strong, weak or no match, with the probability that the shop sells it; nothing found is no match.

    Until the shop has taught the decision, with examples enough, it is on the safe side: where a stranger would
    not come so near by chance, the match is weak at least.

    Args:
        similarities: of the nearest products, best first.
        record: ``EncoderRelease.background``: ``quantiles``, ``no_match`` and ``products``.
    """
    if not len(similarities):
        return Match("none", 0.0)
    fitted = record.get("no_match") or DEFAULT
    row = (features(similarities) - fitted["mean"]) / fitted["scale"]
    probability = float(sigmoid(np.array(fitted["weights"][0] + row @ fitted["weights"][1:])))
    untaught = fitted == DEFAULT or record.get("examples", TAUGHT_BY) < TAUGHT_BY
    if untaught and _by_chance(similarities[0], record) < SELDOM:
        probability = max(probability, WEAK)  # scaled up, it would not compare with what was not lifted
    level = "strong" if probability >= STRONG else "weak" if probability >= WEAK else "none"
    return Match(level, probability)
