"""Intervals that hold however often one looks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from shopvision.evaluation.sequential import difference


def test_the_interval_and_the_chance_by_hand() -> None:
    # p = 1/4 of 1200, q = 1/5 of 1600: V = 3/16/1200 + 4/25/1600 = 1/6400 + 1/10000 = 41/160000
    found = difference((300, 1200), (320, 1600), tau=0.05)
    v, t2 = 41 / 160_000, 1 / 400
    assert found.value == pytest.approx(1 / 20)
    half = math.sqrt(v * (v + t2) / t2 * (2 * math.log(20) + math.log(441 / 41)))  # (V + tau^2) / V = 441/41
    assert (found.low, found.high) == (pytest.approx(1 / 20 - half), pytest.approx(1 / 20 + half))
    ratio = math.sqrt(41 / 441) * math.exp(t2 / 400 / (2 * v * (v + t2)))
    assert found.chance == pytest.approx(1 / ratio)
    assert found.sure == (found.chance < 0.05)


def test_the_interval_leaves_nought_out_exactly_when_the_chance_is_below_alpha() -> None:
    for more in range(0, 200, 5):
        found = difference((200 + more, 2000), (200, 2000))
        assert found.sure == (found.chance < 0.05)


def test_too_little_says_nothing() -> None:
    for ours, theirs in (((50, 99), (50, 200)), ((9, 1000), (50, 1000)), ((995, 1000), (500, 1000))):
        found = difference(ours, theirs)
        assert math.isnan(found.low)
        assert found.chance == 1.0
        assert not found.sure
    assert math.isnan(difference((0, 0), (1, 10)).value)


def test_who_looks_fifty_times_is_fooled_in_fewer_than_one_experiment_of_twenty() -> None:
    rng = np.random.default_rng(0)
    wrong = {"always valid": 0, "usual": 0}
    for _ in range(400):
        a, b = (rng.binomial(100, 0.1, 50).cumsum() for _ in range(2))
        looks = [((int(x), 100 * n), (int(y), 100 * n)) for n, (x, y) in enumerate(zip(a, b, strict=True), 1)]
        wrong["always valid"] += any(difference(*one).sure for one in looks)
        wrong["usual"] += any(_usual(*one) for one in looks)
    assert wrong["always valid"] <= 20
    assert wrong["usual"] > 60  # what peeking at a fixed interval does


def _usual(ours: tuple[int, int], theirs: tuple[int, int]) -> bool:
    (x, n), (y, m) = ours, theirs
    p, q = x / n, y / m
    error = math.sqrt(p * (1 - p) / n + q * (1 - q) / m)
    return abs(p - q) > 1.96 * error


def test_a_real_difference_is_found() -> None:
    rng = np.random.default_rng(1)
    x, y = int(rng.binomial(20_000, 0.12)), int(rng.binomial(20_000, 0.10))
    found = difference((x, 20_000), (y, 20_000))
    assert found.low > 0
    assert found.low < 0.02 < found.high
