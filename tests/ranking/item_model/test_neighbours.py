"""The few heaviest of each item, from a matrix or from pairs."""

from __future__ import annotations

import numpy as np

from shopvision.ranking.item_model.neighbours import Pairs, from_matrix, from_pairs


def test_the_heaviest_come_first_and_nothing_points_at_itself() -> None:
    matrix = np.array([[9, 1, 3, 2], [0, 9, 0, 0], [-1, 5, 9, 0], [1, 1, 1, 1]], np.float32)
    found = from_matrix(matrix, width=2)
    assert found.ids.tolist()[:3] == [[2, 3], [-1, -1], [1, -1]]
    assert found.weights.tolist()[:3] == [[3, 2], [0, 0], [5, 0]]
    assert (found.ids.dtype, found.weights.dtype) == (np.int32, np.float32)


def test_equal_pairs_add_up_before_the_factors() -> None:
    """0 to 1 twice, 1/2 and 1/4, times 2 of the source and 1/3 of the target."""
    pairs = Pairs(np.array([0, 0, 0, 1]), np.array([1, 2, 1, 1]), np.array([0.5, 0.1, 0.25, 7]))
    found = from_pairs(pairs, np.array([2, 1, 1]), np.array([1, 1 / 3, 1]), width=2)
    assert found.ids.tolist() == [[1, 2], [-1, -1], [-1, -1]]
    np.testing.assert_allclose(found.weights[0], [0.75 * 2 / 3, 0.2], rtol=1e-6)


def test_both_ways() -> None:
    both = Pairs(np.array([0]), np.array([1]), np.array([0.5])).both_ways()
    assert [column.tolist() for column in both] == [[0, 1], [1, 0], [0.5, 0.5]]


def test_of_equals_the_first_is_kept_and_a_zero_with_a_sign_is_none() -> None:
    matrix = np.array([[9, 2, 2, 2], [-0.0, 9, -0.0, -1], [0, 0, 0, 0], [1, 3, 2, 9]], np.float32)
    found = from_matrix(matrix, 2)
    assert found.ids.tolist() == [[1, 2], [-1, -1], [-1, -1], [1, 2]]
    assert found.weights.tolist() == [[2, 2], [0, 0], [0, 0], [3, 2]]
