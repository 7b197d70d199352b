from __future__ import annotations

import math

import numpy as np
import pytest

from shopvision.evaluation.classification_metrics import (
    accuracy,
    confusion,
    coverage_curve,
    fit_power_law,
    macro,
    macro_f1,
    per_label,
    threshold_for_error,
    top_k,
)

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 0, 1])


def test_accuracy_is_the_share_of_right_answers() -> None:
    assert accuracy(PREDICTED, LABELS) == pytest.approx(3 / 6)
    assert math.isnan(accuracy(np.array([]), np.array([])))


def test_confusion_counts_rows_by_label_and_columns_by_answer() -> None:
    assert confusion(PREDICTED, LABELS, 3).tolist() == [[2, 1, 0], [1, 1, 0], [0, 1, 0]]


def test_precision_recall_and_f1_are_worked_by_hand() -> None:
    """Label 0: P 2/3, R 2/3, F1 2/3. Label 1: P 1/3, R 1/2, F1 2 * 1/6 / (5/6) = 2/5. Label 2: nothing."""
    found = per_label(confusion(PREDICTED, LABELS, 3))
    assert (found[0].precision, found[0].recall, found[0].f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert (found[1].precision, found[1].recall, found[1].f1) == pytest.approx((1 / 3, 1 / 2, 2 / 5))
    assert (found[2].precision, found[2].recall, found[2].f1, found[2].support) == (0, 0, 0, 1)
    assert macro_f1(PREDICTED, LABELS, 3) == pytest.approx((2 / 3 + 2 / 5 + 0) / 3)


def test_a_label_that_does_not_occur_is_no_part_of_the_mean() -> None:
    found = per_label(confusion(np.array([0, 1]), np.array([0, 0]), 3))
    assert macro(found, "recall") == pytest.approx(1 / 2)
    assert math.isnan(macro([], "f1"))


def test_top_k_looks_at_the_k_most_probable() -> None:
    """Labels at rank 1, 2 and 3 of three."""
    probabilities = np.array([[0.5, 0.3, 0.2]] * 3)
    labels = np.array([0, 1, 2])
    assert [top_k(probabilities, labels, k) for k in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1.0])


def two_sided(sure: list[float], wrong: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Two labels; the first is always the answer."""
    top = np.array(sure)
    return np.column_stack([top, 1 - top]), np.array(wrong, int)


def test_coverage_against_error_is_worked_by_hand() -> None:
    """.9 right, .8 right and wrong together, .6 wrong: 1/4 at 0, 3/4 at 1/3, 1 at 2/4."""
    curve = coverage_curve(*two_sided([0.8, 0.9, 0.6, 0.8], [True, False, True, False]))
    assert [p.threshold for p in curve] == [0.9, 0.8, 0.6]
    assert [p.coverage for p in curve] == pytest.approx([1 / 4, 3 / 4, 1.0])
    assert [p.error for p in curve] == pytest.approx([0, 1 / 3, 2 / 4])
    assert coverage_curve(np.empty((0, 2)), np.empty(0, int)) == []


def test_a_threshold_counts_the_next_answer_as_wrong() -> None:
    """19 right answers: (0 + 1) / 20 = 5 %. With 18, 1/19 is more. One wrong in 39 is (1 + 1) / 40 = 5 %."""
    falling = [0.99 - n / 100 for n in range(40)]
    found = threshold_for_error(*two_sided(falling[:19], [False] * 19), 0.05)
    assert (found.threshold, found.coverage, found.error) == pytest.approx((falling[18], 1.0, 0.0))
    assert threshold_for_error(*two_sided(falling[:18], [False] * 18), 0.05).coverage == 0.0
    wrong = [n == 30 for n in range(40)]
    found = threshold_for_error(*two_sided(falling, wrong), 0.05)
    assert (found.coverage, found.error) == pytest.approx((1.0, 1 / 40))
    wrong[39] = True
    found = threshold_for_error(*two_sided(falling, wrong), 0.05)
    assert (found.threshold, found.coverage, found.error) == pytest.approx((falling[38], 39 / 40, 1 / 39))


def test_an_error_nobody_can_keep_answers_nothing() -> None:
    found = threshold_for_error(*two_sided([0.9, 0.8], [True, True]), 0.05)
    assert found.threshold > 1
    assert (found.coverage, found.error) == (0.0, 0.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        threshold_for_error(np.empty((0, 2)), np.empty(0, int), 5.0)


def test_a_kept_error_holds_on_other_examples() -> None:
    """Calibrated answers, 400 to choose on, 4,000 to judge on, ten times: the mean error is within the 10 %."""
    errors = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        sure = rng.uniform(0.5, 1.0, 4400)
        wrong = rng.random(4400) > sure
        chosen = threshold_for_error(*two_sided(list(sure[:400]), list(wrong[:400])), 0.1)
        errors.append(wrong[400:][sure[400:] >= chosen.threshold].mean())
    assert np.mean(errors) <= 0.1
    assert np.mean(errors) > 0.07


def test_a_power_law_is_found_again() -> None:
    counts = [100, 200, 400, 800]
    law = fit_power_law(counts, [0.05 + 2 * n**-0.5 for n in counts])
    assert law.error(1600) == pytest.approx(0.05 + 2 * 1600**-0.5, abs=0.005)
    assert fit_power_law([100], [0.2]).error(10_000) == pytest.approx(0.2)
    rising = fit_power_law([100, 200], [0.1, 0.2])
    assert rising.error(400) == pytest.approx(0.15, abs=1e-6)
