"""What another ranker would have earned, from what this one showed: SNIPS and DR, or a refusal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEAST_EFFECTIVE = 500.0
LEAST_CLICKS = 50
"""Below either the interval says more about luck than about the rankers, so no number is given."""
CLIP = 100.0  # largest weight: one lucky click must not decide
RESAMPLES = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """Products that were shown, one a row; all of one length.

    Args:
        rewards: what came of it, such as 1 for a click; (n,).
        propensities: probability with which the logging ranker showed this there, in (0, 1]; (n,).
        targets: probability with which the other ranker would have; (n,).
        groups: whom it was shown to; rows of one group err together; (n,).
        predicted: a model's guess of each reward, (n,); None without a model (then DR is not given).
        predicted_other: the guess for what the other ranker would have shown instead,
            ``sum_a target(a) q(a)``; (n,).
    """

    rewards: np.ndarray
    propensities: np.ndarray
    targets: np.ndarray
    groups: np.ndarray
    predicted: np.ndarray | None = None
    predicted_other: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, or why there is none.

    Args:
        value, low, high: nan when refused.
        effective: effective sample size, ``(sum w)^2 / sum w^2``.
        clicks: rows with a reward that the other ranker might have shown.
        refused: the reason, or nothing.
    """

    value: float
    low: float
    high: float
    effective: float
    clicks: int
    refused: str = ""


def importance(logged: Logged, clip: float = CLIP) -> np.ndarray:
    """``min(target / propensity, clip)`` of each row.

    Raises:
        ValueError: a propensity is not in (0, 1], or a target not in [0, 1].
    """
    fine = (logged.propensities > 0) & (logged.propensities <= 1)
    if not fine.all() or ((logged.targets < 0) | (logged.targets > 1)).any():
        raise ValueError("propensities lie in (0, 1] and targets in [0, 1]")
    return np.asarray(np.minimum(logged.targets / logged.propensities, clip))


def effective_sample(weights: np.ndarray) -> float:
    """``(sum w)^2 / sum w^2``: how many rows of equal weight would say as much; 0 without weight.

    Source: Kish, "Survey Sampling", 1965.
    """
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def snips(logged: Logged, *, clip: float = CLIP, level: float = 0.95, seed: int = 0) -> Estimate:
    """Reward of the other ranker per row shown, ``sum w r / sum w``.

    Source: Swaminathan & Joachims, "The self-normalized estimator for counterfactual learning", NIPS 2015.
    """
    weights = importance(logged, clip)
    return _estimate(weights * logged.rewards, weights, logged, weights, level, seed)


def doubly_robust(logged: Logged, *, clip: float = CLIP, level: float = 0.95, seed: int = 0) -> Estimate:
    """The model's guess, mended by what was seen: ``mean(q_other + w (r - q))``.

    Right if either the propensities or the model is.

    Raises:
        ValueError: no model's guesses are given.

    Source: Dudik, Langford & Li, "Doubly robust policy evaluation and learning", ICML 2011.
    """
    if logged.predicted is None or logged.predicted_other is None:
        raise ValueError("a doubly robust estimate needs a model's guesses")
    weights = importance(logged, clip)
    rows = logged.predicted_other + weights * (logged.rewards - logged.predicted)
    return _estimate(rows, np.ones(len(rows)), logged, weights, level, seed)


def _estimate(
    top: np.ndarray, bottom: np.ndarray, logged: Logged, weights: np.ndarray, level: float, seed: int
) -> Estimate:
    """``sum top / sum bottom`` with a percentile bootstrap over whole groups, or a refusal."""
    effective, clicks = effective_sample(weights), int(((logged.rewards > 0) & (weights > 0)).sum())
    refused = _refusal(effective, clicks)
    if refused:
        return Estimate(float("nan"), float("nan"), float("nan"), effective, clicks, refused)
    _, place = np.unique(logged.groups, return_inverse=True)
    sums = np.stack([np.bincount(place, top), np.bincount(place, bottom)])
    draw, count = np.random.default_rng(seed), sums.shape[1]
    found = np.empty(RESAMPLES)
    for row in range(RESAMPLES):
        times = np.bincount(draw.integers(0, count, count), minlength=count)
        high, low = sums @ times
        found[row] = high / low if low > 0 else np.nan
    tail = (1 - level) / 2
    low, high = np.nanquantile(found, [tail, 1 - tail])
    return Estimate(float(top.sum() / bottom.sum()), float(low), float(high), effective, clicks)


def _refusal(effective: float, clicks: int) -> str:
    if effective < LEAST_EFFECTIVE:
        return f"effective sample of {effective:.0f}, at least {LEAST_EFFECTIVE:.0f} are needed"
    if clicks < LEAST_CLICKS:
        return f"{clicks} clicks, at least {LEAST_CLICKS} are needed"
    return ""
