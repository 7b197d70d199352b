"""rows -> logistic regression in numpy: many labels by L-BFGS, two kinds by Newton; no scikit-learn, no scipy."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from .base import sigmoid

MEMORY = 10  # pairs of steps that approximate the curvature
STEPS = 100
SHORTEST = 1e-8  # step below which the line search has found the minimum
TOLERANCE = 1e-6  # relative decrease of the loss at which it is good enough
NEWTON_STEPS = 25  # of the regression with two kinds and a few features
Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]


def fit_logistic(
    rows: np.ndarray, targets: np.ndarray, *, ridge: float, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (d, C) and intercepts (C,) that minimise cross-entropy with a ridge on the slopes.

    ``sum_i w_i H(t_i, softmax(x_i W + b)) / sum_i w_i + ridge / 2 |W|^2``; convex, so the start is no matter.

    Args:
        rows: (N, d).
        targets: probability of each label, (N, C), rows sum to 1.
        ridge: pull to zero, in the units of the mean loss.
        weights: of the rows, (N,); None weighs all alike.

    Source: Byrd et al., "A limited memory algorithm", SIAM J. Sci. Comput. 1995 (L-BFGS).
    """
    x = np.column_stack([rows, np.ones(len(rows))]).astype(np.float64)
    share = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
    shape = (x.shape[1], targets.shape[1])

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w = flat.reshape(shape)
        logits = x @ w
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        value = -float(share @ (targets * log_p).sum(axis=1)) + ridge / 2 * float((w[:-1] ** 2).sum())
        slope = x.T @ (share[:, None] * (np.exp(log_p) - targets))
        slope[:-1] += ridge * w[:-1]
        return value, slope.ravel()

    found = minimise(loss, np.zeros(shape[0] * shape[1])).reshape(shape)
    return found[:-1], found[-1]


def minimise(loss: Loss, start: np.ndarray) -> np.ndarray:
    """The minimum of a smooth convex function, given its value and slope."""
    point, (value, slope) = start, loss(start)
    pairs: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=MEMORY)
    for _ in range(STEPS):
        direction = -_curved(slope, pairs)
        step, downhill = 1.0, float(slope @ direction)
        found, new = loss(point + direction)
        while found > value + 1e-4 * step * downhill and step > SHORTEST:
            step /= 2
            found, new = loss(point + step * direction)
        if found >= value:
            break
        moved, bent = step * direction, new - slope
        if moved @ bent > 1e-12:
            pairs.append((moved, bent))
        done = value - found < TOLERANCE * max(1.0, abs(value))
        point, value, slope = point + moved, found, new
        if done:
            break
    return point


def _curved(slope: np.ndarray, pairs: deque[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The slope divided by the curvature that the last steps have shown (two-loop recursion)."""
    out = slope.copy()
    if not pairs:
        return np.asarray(out / max(1.0, float(np.linalg.norm(out))))
    kept = []
    for moved, bent in reversed(pairs):
        share = float(moved @ out) / float(bent @ moved)
        out -= share * bent
        kept.append(share)
    moved, bent = pairs[-1]
    out *= float(moved @ bent) / float(bent @ bent)
    for (moved, bent), share in zip(pairs, reversed(kept), strict=True):
        out += (share - float(bent @ out) / float(bent @ moved)) * moved
    return np.asarray(out)


def tell_apart(
    rows: np.ndarray, yes: np.ndarray, *, ridge: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and scale (F,) of a few features, and weights (F + 1,), intercept first, that tell two kinds apart.

    A logistic regression on standardised features, both kinds weighing equally; Newton's method.

    Args:
        rows: features, (N, F). yes: which kind each is, bool (N,); both kinds must occur.
        ridge: pull of the slopes to zero, in examples.
    """
    mean, scale = rows.mean(0), rows.std(0) + 1e-6
    x = np.column_stack([np.ones(len(rows)), (rows - mean) / scale])
    balance = np.where(yes, 0.5 / yes.mean(), 0.5 / (1 - yes.mean()))
    pull = np.diag([1e-6, *[ridge] * (x.shape[1] - 1)])
    weights = np.zeros(x.shape[1])
    for _ in range(NEWTON_STEPS):
        p = sigmoid(x @ weights)
        slope = x.T @ (balance * (p - yes)) + pull @ weights
        curve = (x * (balance * p * (1 - p))[:, None]).T @ x + pull
        weights = weights - np.linalg.solve(curve, slope)
    return mean, scale, weights
