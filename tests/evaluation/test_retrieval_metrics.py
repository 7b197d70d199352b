from __future__ import annotations

import math

import pytest

from shopvision.evaluation.retrieval_metrics import auroc, average_precision_at, map_at, recall_at


def test_recall_counts_queries_with_a_hit() -> None:
    """Three queries: found first, found third, not found: 1/3 at 1, 2/3 at 3."""
    ranked = [["a", "b", "c"], ["b", "c", "a"], ["b", "c", "d"]]
    relevant = [{"a"}, {"a"}, {"a"}]
    assert recall_at(ranked, relevant, 1) == pytest.approx(1 / 3)
    assert recall_at(ranked, relevant, 3) == pytest.approx(2 / 3)
    assert recall_at([], [], 5) == 0.0


def test_average_precision_is_worked_by_hand() -> None:
    """Relevant a, c in a x c: (1/1 + 2/3) / 2 = 5/6; at depth 2 only a: 1 / 2."""
    assert average_precision_at(["a", "x", "c"], {"a", "c"}, 3) == pytest.approx(5 / 6)
    assert average_precision_at(["a", "x", "c"], {"a", "c"}, 2) == pytest.approx(1 / 2)
    assert average_precision_at(["a", "a"], {"a"}, 2) == pytest.approx(1.0)
    assert average_precision_at(["a"], set(), 2) == 0.0


def test_map_is_the_mean() -> None:
    assert map_at([["a"], ["b"]], [{"a"}, {"a"}], 1) == pytest.approx(1 / 2)


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    """3 > 2, 3 > 1, 1 = 1 (half), 1 < 2: 2.5 of 4 pairs."""
    assert auroc([3, 1], [2, 1]) == pytest.approx(2.5 / 4)
    assert auroc([2], [1]) == 1.0
    assert math.isnan(auroc([], [1]))
