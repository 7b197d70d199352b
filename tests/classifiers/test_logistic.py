from __future__ import annotations

import numpy as np
import pytest

from shopvision.classifiers.logistic import fit_balanced_binary, fit_logistic, minimize


def test_a_bowl_is_followed_to_its_bottom() -> None:
    """(x - 1)^2 + 10 (y + 2)^2 is least at (1, -2)."""

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        away = p - np.array([1.0, -2.0])
        return float(away[0] ** 2 + 10 * away[1] ** 2), np.array([2.0, 20.0]) * away

    assert minimize(loss, np.zeros(2)) == pytest.approx([1.0, -2.0], abs=1e-3)


def test_without_slopes_the_intercepts_are_the_log_shares() -> None:
    """Rows of zeros, labels 3 : 1, then weighted to 1 : 1."""
    targets = np.array([0, 0, 0, 1])
    _, b = fit_logistic(np.zeros((4, 1)), targets, 2, ridge=1e-3)
    assert b[0] - b[1] == pytest.approx(np.log(3), abs=1e-2)
    _, b = fit_logistic(np.zeros((4, 1)), targets, 2, ridge=1e-3, weights=np.array([1.0, 1.0, 1.0, 3.0]))
    assert b[0] - b[1] == pytest.approx(0.0, abs=1e-2)


def test_the_slope_vanishes_at_the_minimum() -> None:
    """At the optimum the ridge balances the residual: ridge W = mean x (t - p)."""
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((60, 3)), rng.integers(0, 3, 60)
    w, b = fit_logistic(x, targets, 3, ridge=0.05)
    p = np.exp(x @ w + b)
    p /= p.sum(1, keepdims=True)
    assert x.T @ (np.eye(3)[targets] - p) / 60 == pytest.approx(0.05 * w, abs=2e-3)


def test_two_labels_are_penalised_as_a_softmax_of_two_columns() -> None:
    """The same balance of ridge and residual holds for each of the two columns."""
    rng = np.random.default_rng(1)
    x, targets = rng.standard_normal((50, 2)), rng.integers(0, 2, 50)
    w, b = fit_logistic(x, targets, 2, ridge=0.05)
    p = np.exp(x @ w + b)
    p /= p.sum(1, keepdims=True)
    assert x.T @ (np.eye(2)[targets] - p) / 50 == pytest.approx(0.05 * w, abs=2e-3)


def test_a_rare_class_weighs_as_much_as_a_frequent_one() -> None:
    """One feature that says nothing: without balance the intercept would be ln(1/3), with it 0."""
    mean, scale, weights = fit_balanced_binary(
        np.array([[-1.0], [1.0], [-1.0], [1.0], [-1.0], [1.0], [-1.0], [1.0]]),
        np.array([True, True, False, False, False, False, False, False]),
        ridge=3.0,
    )
    assert (mean.tolist(), scale.round(3).tolist()) == ([0.0], [1.0])
    assert weights == pytest.approx([0.0, 0.0], abs=1e-6)
