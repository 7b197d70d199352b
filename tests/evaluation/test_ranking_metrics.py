"""Ranking measures against fractions worked by hand."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest

from shopvision.evaluation.ranking_metrics import (
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
