"""Ranking measures against fractions worked by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from shopvision.evaluation.ranking_metrics import (
    bootstrap_ratio,
    coverage_at,
    ndcg_at,
    novelty_at,
    ranked,
    recall_at,
    reciprocal_rank,
)


def row(*values: float) -> np.ndarray:
    return np.array(values, float)


def test_scores_order_the_listing_and_ties_keep_the_order_given() -> None:
    assert ranked(row(1, 2, 3, 4), row(0.5, 0.9, 0.5, 0.9)).tolist() == [2, 4, 1, 3]


def test_ndcg_of_one_relevant_product() -> None:
    """Ranks 1, 2, 3: 1/log2(2) = 1, 1/log2(3), 1/log2(4) = 1/2."""
    assert ndcg_at(row(1, 0, 0), 10) == 1
    assert ndcg_at(row(0, 1, 0), 10) == pytest.approx(1 / log2(3))
    assert ndcg_at(row(0, 0, 1), 10) == pytest.approx(1 / 2)
    assert ndcg_at(row(0, 0, 1), 2) == 0


def test_ndcg_of_two_relevant_products() -> None:
    """Ranks 1 and 3 of the best 1 and 2: (1 + 1/2) / (1 + 1/log2(3))."""
    assert ndcg_at(row(1, 0, 1, 0), 10) == pytest.approx(1.5 / (1 + 1 / log2(3)))


def test_ndcg_of_graded_relevance_and_of_more_than_k() -> None:
    """Grades 1, 3 against 3, 1; and three relevant ones of which k = 1 has room for one."""
    assert ndcg_at(row(1, 3), 10) == pytest.approx((1 + 3 / log2(3)) / (3 + 1 / log2(3)))
    assert ndcg_at(row(1, 1, 1), 1) == 1


def test_recall_counts_what_k_has_room_for() -> None:
    assert recall_at(row(0, 1, 0, 1, 1), 2) == pytest.approx(1 / 2)
    assert recall_at(row(0, 1, 0, 1, 1), 4) == pytest.approx(2 / 3)
    assert recall_at(row(1, 1, 1), 2) == 1


def test_reciprocal_rank_of_the_first() -> None:
    assert reciprocal_rank(row(0, 0, 1, 1)) == pytest.approx(1 / 3)


@pytest.mark.parametrize("nothing", [row(), row(0, 0)])
def test_nothing_relevant_is_nought(nothing: np.ndarray) -> None:
    assert ndcg_at(nothing, 10) == recall_at(nothing, 20) == reciprocal_rank(nothing) == 0


def test_coverage_counts_products_once() -> None:
    listings = [np.array([4, 2, 0]), np.array([2, 4, 1])]
    assert coverage_at(listings, 2, 5) == pytest.approx(2 / 5)
    assert coverage_at(listings, 3, 5) == pytest.approx(4 / 5)
    assert coverage_at([], 3, 5) == coverage_at(listings, 3, 0) == 0


def test_novelty_is_the_surprise_in_bits() -> None:
    """Counts 0, 1, 5 are 1/9, 2/9, 6/9 with one added to each."""
    counts = np.array([0, 1, 5])
    assert novelty_at([np.array([0, 2])], 1, counts) == pytest.approx(log2(9))
    assert novelty_at([np.array([0, 2])], 2, counts) == pytest.approx((log2(9) + log2(9 / 6)) / 2)
    assert novelty_at([], 2, counts) == 0


def test_ratio_of_means_and_its_interval() -> None:
    ours, theirs = row(0.4, 0.8, 0.3), row(0.2, 0.4, 0.15)
    found = bootstrap_ratio(ours, theirs, np.array([1, 1, 2]))
    assert (found.value, found.low, found.high) == pytest.approx((2, 2, 2))


def test_the_interval_is_that_of_users_not_of_listings() -> None:
    """Two users of 50 equal listings each: three ratios are possible, 1/2, 3/2 and 1 (half the draws)."""
    ours = np.repeat(row(0.5, 1.5), 50)
    found = bootstrap_ratio(ours, np.ones(100), np.repeat([1, 2], 50))
    assert (found.value, found.low, found.high) == pytest.approx((1, 0.5, 1.5))


def test_the_interval_covers_a_known_ratio_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(200):
        theirs = rng.exponential(1, 150)
        ours = 0.6 * theirs + rng.exponential(0.6, 150)  # means 1.2 and 1
        found = bootstrap_ratio(ours, theirs, np.arange(150), seed=seed, resamples=400)
        covered += found.low <= 1.2 <= found.high
    assert 0.9 <= covered / 200 <= 0.99


def test_no_listings_or_a_ranker_that_finds_nothing_have_no_ratio() -> None:
    assert np.isnan(bootstrap_ratio(row(), row(), np.array([], int)).value)
    assert np.isnan(bootstrap_ratio(row(1), row(0), np.array([1])).low)
