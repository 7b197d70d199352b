"""Logits -> a scale."""

from __future__ import annotations

import numpy as np
import pytest

from shopvision.classifiers.temperature_scaling import fit_scale


def test_a_few_right_answers_do_not_promise_certainty() -> None:
    """Three of three right, logits 1 and 0: the target is 1 - 1/4 + 1/8 = 7/8, so the scale is ln 7."""
    assert fit_scale(np.tile([1.0, 0.0], (3, 1)), np.zeros(3, int), doubt=1 / 4) == pytest.approx(
        np.log(7), abs=1e-5
    )
