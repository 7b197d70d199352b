"""Logits -> the scale at which their softmax is calibrated."""

from __future__ import annotations

import numpy as np

LOWEST, HIGHEST = 0.01, 1000.0  # scales looked at
STEPS = 40  # of the golden section: the scale is found to eight digits


def fit_scale(logits: np.ndarray, targets: np.ndarray) -> float:
    """What logits are multiplied with for the least log-loss: one over the temperature.

    Args:
        logits: of examples not trained on, (N, C). targets: int (N,).

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (temperature scaling).
    """
    low, high = np.log(LOWEST), np.log(HIGHEST)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(STEPS):
        a, b = high - golden * (high - low), low + golden * (high - low)
        if log_loss(logits * np.exp(a), targets) < log_loss(logits * np.exp(b), targets):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """``-mean log softmax(logits)[target]``."""
    top = logits.max(axis=1)
    norm = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float((norm - logits[np.arange(len(targets)), targets]).mean())
