"""Intervals of means and ratios, drawing whole groups."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shopvision.evaluation.bootstrap import mean_interval, ratio_of_means


def test_the_interval_draws_products_not_photos() -> None:
    """Two products, one all right, one all wrong, however many photos: resamples give 0, 1/2 or 1."""
    right = np.array([1.0] * 9 + [0.0] * 9)
    low, high = mean_interval(right, np.repeat([0, 1], 9))
    assert (low, high) == (0.0, 1.0)
    low, high = mean_interval(right, np.arange(18))
    assert 0.25 < low < 0.35 < 0.65 < high < 0.75
    assert math.isnan(mean_interval(np.empty(0), np.empty(0))[0])


def test_a_row_counts_by_its_weight_and_no_weight_is_no_mean() -> None:
    """One group of 1 and 0 weighing 3 : 1: every draw gives 3/4."""
    values, groups = np.array([1.0, 0.0]), np.array([5, 5])
    assert mean_interval(values, groups, weights=np.array([3.0, 1.0])) == pytest.approx((0.75, 0.75))
    assert mean_interval(values, groups, weights=np.zeros(2)) == (0.0, 0.0)


def test_ratio_of_means_and_its_interval() -> None:
    ours, theirs = np.array([0.4, 0.8, 0.3]), np.array([0.2, 0.4, 0.15])
    found = ratio_of_means(ours, theirs, np.array([1, 1, 2]))
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))


def test_the_interval_is_that_of_users_not_of_listings() -> None:
    """Two users of 50 equal listings each: three ratios are possible, 1/2, 3/2 and 1 (half the draws)."""
    ours = np.repeat(np.array([0.5, 1.5]), 50)
    found = ratio_of_means(ours, np.ones(100), np.repeat([1, 2], 50))
    assert (found.value, found.low, found.high) == pytest.approx((1, 0.5, 1.5))


def test_the_interval_covers_a_known_ratio_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        theirs = rng.exponential(1, 150)
        ours = 0.6 * theirs + rng.exponential(0.6, 150)  # means 1.2 and 1
        found = ratio_of_means(ours, theirs, np.arange(150), seed=seed, resamples=400)
        covered += found.low <= 1.2 <= found.high
    assert 0.9 <= covered / 200 <= 0.99


def test_no_listings_or_a_ranker_that_finds_nothing_have_no_ratio() -> None:
    assert np.isnan(ratio_of_means(np.empty(0), np.empty(0), np.array([], int)).value)
    assert np.isnan(ratio_of_means(np.array([1]), np.array([0]), np.array([1])).low)
