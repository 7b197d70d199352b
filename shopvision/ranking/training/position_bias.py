"""Estimate position bias from clicks and correct for it by inverse propensity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...classifiers.base import sigmoid
from ...classifiers.logistic import minimize
from ..rankers.feature_scaling import fit_scaling
from ..rankers.linear import scaled
from .examples import Lessons

ROUNDS = 30
POSITIONS = 50  # those further down are taken together
MOST = 20.0  # largest weight of an answer: one click far down must not decide
RIDGE = 1e-2  # on the attraction's slopes, in the units of a row's loss
LEAST_SHOWN = 50  # impressions of a position, below which the one above it speaks for it


def examination(lessons: Lessons) -> np.ndarray:
    """Probability that each position is looked at, relative to the likeliest; float64, (POSITIONS,).

    A product is chosen if it is looked at and attracts: ``P(chosen) = theta_position * sigmoid(w x + b)``. Both
    are learned in turn (EM): what was not chosen was either not looked at or did not attract. That needs
    listings in which alike products stood at different positions, which exploration sees to.

    Args:
        lessons: of listings that were shown, with positions. Without any, every position is looked at.

    Source: Wang et al., "Position bias estimation for unbiased learning to rank", WSDM 2018.
    """
    shown = np.flatnonzero(lessons.positions >= 0)
    if not len(shown) or not lessons.chosen[shown].any():
        return np.ones(POSITIONS)
    place = np.minimum(lessons.positions[shown], POSITIONS - 1)
    chosen = lessons.chosen[shown] > 0
    x = np.column_stack([scaled(fit_scaling(lessons.x), lessons)[shown], np.ones(len(shown))])
    times = np.bincount(place, minlength=POSITIONS)
    theta, weights = 1 / np.sqrt(1 + np.arange(POSITIONS)), np.zeros(x.shape[1])
    weights[-1] = -1.0
    for _ in range(ROUNDS):
        attracts, looked = sigmoid(x @ weights), theta[place]
        neither = 1 - looked * attracts
        attracted = np.where(chosen, 1.0, (1 - looked) * attracts / neither)
        seen = np.where(chosen, 1.0, looked * (1 - attracts) / neither)
        theta = np.bincount(place, seen, minlength=POSITIONS) / np.maximum(times, 1)
        weights = _attraction(x, attracted, weights)
    for position in range(1, POSITIONS):
        if times[position] < LEAST_SHOWN:
            theta[position] = theta[position - 1]
    return np.asarray(theta / theta.max())


def _attraction(x: np.ndarray, wanted: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Logistic regression on probabilities; the last column is the intercept and is not pulled."""
    pull = np.append(np.full(x.shape[1] - 1, RIDGE), 0)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ weights
        value = float(np.mean(np.logaddexp(0, z) - wanted * z)) + float(pull @ weights**2) / 2
        return value, x.T @ (sigmoid(z) - wanted) / len(x) + pull * weights

    return minimize(loss, start)


def corrected(lessons: Lessons, looked: np.ndarray | None = None) -> Lessons:
    """The same lessons, each answer weighed by how unlikely its position was looked at.

    Args:
        lessons: answers that were never shown keep their weight.
        looked: as ``examination`` gives it; None learns it from these lessons.

    Source: Joachims, Swaminathan & Schnabel, "Unbiased learning-to-rank with biased feedback", WSDM 2017.
    """
    theta = examination(lessons) if looked is None else looked
    place = np.minimum(lessons.positions, len(theta) - 1)
    inverse = np.minimum(1 / np.maximum(theta[place], 1e-6), MOST)
    weights = np.where(lessons.positions >= 0, lessons.weights * inverse, lessons.weights)
    return replace(lessons, weights=weights.astype(np.float32))
