"""Logits -> the scale at which their softmax is calibrated."""

from __future__ import annotations

import numpy as np

LOWEST, HIGHEST = 0.01, 1000.0  # scales looked at
STEPS = 40  # of the golden section: the scale is found to eight digits


def fit_scale(logits: np.ndarray, targets: np.ndarray, *, doubt: float = 0.0) -> float:
    """What logits are multiplied with for the least log-loss: one over the temperature.

    Args:
        logits: of examples not trained on, (N, C). targets: int (N,).
        doubt: share of each target that is spread over all labels; ``1 / (N + 1)`` keeps a few examples that
            are all right from promising certainty.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (temperature scaling); Platt,
        "Probabilistic Outputs for Support Vector Machines", 1999 (softened targets).
    """

    def loss(scale: float) -> float:
        scaled = logits * scale
        return log_loss(scaled, targets) + doubt * float(
            (_picked(scaled, targets) - scaled.mean(axis=1)).mean()
        )

    low, high = np.log(LOWEST), np.log(HIGHEST)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(STEPS):
        a, b = high - golden * (high - low), low + golden * (high - low)
        if loss(np.exp(a)) < loss(np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """``-mean log softmax(logits)[target]``."""
    top = logits.max(axis=1)
    norm = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float((norm - _picked(logits, targets)).mean())


def _picked(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Each row's logit of its target, (N,)."""
    return np.asarray(logits[np.arange(len(targets)), targets])
