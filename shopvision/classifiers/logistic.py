"""Logistic regression by scikit-learn, and smooth convex minimisation by scipy; used in training only.

Both libraries are imported where something is fitted: a process that only answers searches never loads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import numpy as np

MAX_ITERATIONS = 500  # clicks on 80 correlated features take some 200; photos take 20 to 50
TOLERANCE = 1e-6  # relative decrease of the loss at which L-BFGS stops
_fitting = Lock()
Loss = Callable[[np.ndarray], tuple[float, np.ndarray]]


def fit_logistic(
    rows: np.ndarray, targets: np.ndarray, count: int, *, ridge: float, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression: slopes (d, C) and intercepts (C,), float64.

    Minimises ``-sum_i w_i log softmax(x_i W + b)_(t_i) / sum_i w_i + ridge / 2 |W|^2``, in float32, which takes
    half the time of float64 and reaches the same loss to six digits.

    Args:
        rows: (N, d).
        targets: number of each row's label, int (N,); every label occurs.
        count: labels C.
        ridge: L2 penalty, in the units of the mean loss.
        weights: of the rows, (N,); None weighs all alike.
    """
    from sklearn.linear_model import LogisticRegression

    total = float(len(rows) if weights is None else weights.sum())
    model = LogisticRegression(C=1 / (_penalty(ridge, count) * total), max_iter=MAX_ITERATIONS)
    with one_blas_thread():
        model.fit(rows.astype(np.float32), targets, sample_weight=weights)
    slopes, intercepts = model.coef_.T.astype(np.float64), model.intercept_.astype(np.float64)
    if count == 2:  # one logit: that of the second label over the first
        return np.hstack([-slopes, slopes]) / 2, np.concatenate([-intercepts, intercepts]) / 2
    return slopes, intercepts


def _penalty(ridge: float, count: int) -> float:
    """Two labels are fitted as one logit ``d = w_1 - w_0``, whose ``|W|^2`` is ``d^2 / 2``."""
    return ridge / 2 if count == 2 else ridge


def fit_balanced_binary(
    rows: np.ndarray, positive: np.ndarray, *, ridge: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Binary logistic regression on a few standardised features, both classes weighing equally.

    Args:
        rows: features, (N, F). positive: bool (N,); both classes must occur.
        ridge: L2 penalty on the slopes, in examples.

    Returns:
        Mean and scale (F,) of the features, and weights (F + 1,), intercept first.
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = rows.mean(0), rows.std(0) + 1e-6
    model = LogisticRegression(C=1 / ridge, class_weight="balanced", solver="newton-cholesky")
    with one_blas_thread():
        model.fit((rows - mean) / scale, positive)
    return mean, scale, np.concatenate([model.intercept_, model.coef_[0]])


def minimize(loss: Loss, start: np.ndarray) -> np.ndarray:
    """The minimum of a smooth convex function, by L-BFGS.

    Args:
        loss: point -> value and gradient.
        start: where to begin, float64 (n,).
    """
    from scipy import optimize

    options = {"maxiter": MAX_ITERATIONS, "ftol": TOLERANCE, "gtol": 1e-9}
    with one_blas_thread():
        return np.asarray(optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep every BLAS of the process to one thread meanwhile.

    numpy and scipy each bring an OpenBLAS with waiting threads of its own; small steps in turn make the two
    fight for the cores. (10 labels, 2,100 x 700, two cores: 0.36 s with both pools, 0.05 s with one thread.)
    One fit at a time: two that overlap would restore each other's limit.
    """
    with _fitting, _pools().limit(limits=1, user_api="blas"):
        yield


@cache
def _pools() -> Any:
    """The loaded BLAS libraries; looked up once, after scikit-learn or scipy was imported."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
