from __future__ import annotations

import math

import numpy as np
import pytest

from shopvision.evaluation.calibration import brier, calibration_error, reliability

SURE = np.array([0.6, 0.6, 0.9, 0.9])
PROBABILITIES = np.column_stack([SURE, 1 - SURE])
LABELS = np.array([0, 1, 0, 0])


def test_bins_hold_examples_of_like_probability() -> None:
    low, high = reliability(PROBABILITIES, LABELS, bins=2)
    assert (low.probability, low.accuracy, low.count) == pytest.approx((0.6, 1 / 2, 2))
    assert (high.probability, high.accuracy, high.count) == pytest.approx((0.9, 1.0, 2))


def test_calibration_error_is_worked_by_hand() -> None:
    """2/4 * |1/2 - 6/10| + 2/4 * |1 - 9/10| = 1/10."""
    assert calibration_error(PROBABILITIES, LABELS, bins=2) == pytest.approx(1 / 10)
    assert math.isnan(calibration_error(np.empty((0, 2)), np.empty(0, int)))


def test_equal_width_bins_may_differ() -> None:
    """In four bins of 1/4, 0.6 is in (1/2, 3/4] and 0.9 in (3/4, 1]; one bin holds all: |3/4 - 3/4| = 0."""
    assert calibration_error(PROBABILITIES, LABELS, bins=4, equal_mass=False) == pytest.approx(1 / 10)
    assert calibration_error(PROBABILITIES, LABELS, bins=1, equal_mass=False) == pytest.approx(0.0)
    assert [one.count for one in reliability(PROBABILITIES, LABELS, bins=4, equal_mass=False)] == [2, 2]


def test_brier_is_worked_by_hand() -> None:
    """(2 * .4^2 + 2 * .6^2 + 2 * .1^2 + 2 * .1^2) / 4 = 27/100."""
    assert brier(PROBABILITIES, LABELS) == pytest.approx(27 / 100)
    assert math.isnan(brier(np.empty((0, 2)), np.empty(0, int)))
