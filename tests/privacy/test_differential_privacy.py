from __future__ import annotations

import math
import statistics

import pytest

from shopvision.privacy import differential_privacy


@pytest.mark.parametrize(
    ("uniform", "expected"), [(0.5, 0.0), (0.25, -math.log(2)), (0.75, math.log(2)), (0.95, math.log(10))]
)
def test_laplace_is_the_inverse_of_its_distribution(uniform: float, expected: float) -> None:
    """F(x) = 1 - exp(-x) / 2 for x > 0 and scale 1, so F(log 10) = 1 - 1/20."""
    assert differential_privacy.laplace(uniform, 1.0) == pytest.approx(expected)
    assert differential_privacy.laplace(uniform, 3.0) == pytest.approx(3 * expected)


def test_the_scale_is_sensitivity_over_epsilon() -> None:
    assert differential_privacy.laplace_scale(1.0, 1.0) == 1.0
    assert differential_privacy.laplace_scale(0.5, 2.0) == 4.0
    for wrong in ((0.0, 1.0), (1.0, 0.0), (-1.0, 1.0)):
        with pytest.raises(ValueError, match="above 0"):
            differential_privacy.laplace_scale(*wrong)


@pytest.mark.parametrize("epsilon", [1.0, 0.25])
def test_the_noise_of_many_cells_has_the_stated_scale(epsilon: float) -> None:
    """Laplace noise of scale b has mean 0, mean absolute value b and variance 2 b^2.

    Rounding adds 1/12 to the variance. 20,000 draws: the mean's standard error is b sqrt(2 / n) = b / 100,
    that of the variance is b^2 sqrt(20 / n) = b^2 / 32; four of them are allowed.
    """
    n, scale = 20_000, 1 / epsilon
    drawn = [differential_privacy.noisy(0, ("views", str(cell), "2026-11-24"), epsilon) for cell in range(n)]
    assert statistics.fmean(drawn) == pytest.approx(0, abs=4 * scale / 100)
    assert statistics.pvariance(drawn) == pytest.approx(2 * scale**2 + 1 / 12, abs=4 * scale**2 / 32)
    beyond = sum(abs(one) >= math.ceil(3 * scale) for one in drawn) / n
    assert beyond == pytest.approx(math.exp(-(math.ceil(3 * scale) - 0.5) / scale), abs=0.01)


def test_asking_again_takes_no_noise_off() -> None:
    cell = ("views", "shop.product:1", "2026-11-24")
    assert len({differential_privacy.noisy(5, cell) for _ in range(50)}) == 1
    assert len({differential_privacy.noisy(5, (*cell, str(n))) for n in range(50)}) > 3
