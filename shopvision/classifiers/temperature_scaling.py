"""Temperature scaling of logits."""

from __future__ import annotations

import numpy as np

LOWEST, HIGHEST = 0.01, 1000.0  # scales looked at
XATOL = {"xatol": 1e-6}  # of the scale's logarithm


def fit_scale(logits: np.ndarray, targets: np.ndarray, *, doubt: float = 0.0) -> float:
    """What logits are multiplied with for the least log-loss: one over the temperature.

    Args:
        logits: of examples not trained on, (N, C). targets: int (N,).
        doubt: share of each target that is spread over all labels; ``1 / (N + 1)`` keeps a few examples that
            are all right from promising certainty.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (temperature scaling); Platt,
        "Probabilistic Outputs for Support Vector Machines", 1999 (softened targets).
    """
    from scipy import optimize

    def loss(scale: float) -> float:
        scaled = logits * scale
        return log_loss(scaled, targets) + doubt * float(
            (_picked(scaled, targets) - scaled.mean(axis=1)).mean()
        )

    bounds = (np.log(LOWEST), np.log(HIGHEST))
    found = optimize.minimize_scalar(
        lambda log: loss(np.exp(log)), bounds=bounds, method="bounded", options=XATOL
    )
    return float(np.exp(found.x))


def log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """``-mean log softmax(logits)[target]``."""
    top = logits.max(axis=1)
    norm = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float((norm - _picked(logits, targets)).mean())


def _picked(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Each row's logit of its target, (N,)."""
    return np.asarray(logits[np.arange(len(targets)), targets])
