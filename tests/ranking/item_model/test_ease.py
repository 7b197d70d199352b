"""EASE against its closed form, and as of a time."""

from __future__ import annotations

import numpy as np
import pytest

from shopvision.ranking.item_model import ease
from shopvision.ranking.item_model.ease import Ease
from tests.ranking.drawn import DAY, log


def test_in_a_large_catalogue_what_few_have_predicts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "SMALL", 2)
    monkeypatch.setattr(ease, "LEAST_SUBJECTS", 2)
    rows = log((1, 1, 0, 1.0), (1, 1, 1, 1.0), (1, 1, 2, 1.0), (2, 2, 0, 1.0), (2, 2, 1, 1.0))
    weights = Ease(rows, 3, ridge=1.0).matrix(2 * DAY)
    assert weights[0, 1] > 0
    assert not weights[2].any() and not weights[:, 2].any()


def test_two_items_worked_by_hand() -> None:
    """Three subjects have 0, two of them 1 too: G = [[4, 2], [2, 3]], P = G^-1 = [[3, -2], [-2, 4]] / 8."""
    rows = log((1, 1, 0, 1.0), (1, 1, 1, 1.0), (2, 2, 0, 1.0), (2, 2, 1, 1.0), (3, 3, 0, 1.0), (3, 4, 0, 2.0))
    weights = Ease(rows, 2, ridge=1.0).matrix(3 * DAY)
    np.testing.assert_allclose(weights, [[0, 2 / 4], [2 / 3, 0]], rtol=1e-5)


def test_only_what_was_had_before_counts_and_time_may_go_back() -> None:
    rows = log((1, 1, 0, 1.0), (1, 2, 1, 5.0), (2, 3, 0, 5.0), (2, 3, 1, 5.0))
    model = Ease(rows, 3, ridge=1.0)
    assert model.gram(4 * DAY).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert model.gram(6 * DAY).tolist() == [[2, 2, 0], [2, 2, 0], [0, 0, 0]]
    assert model.gram(4 * DAY).tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_moving_on_in_steps_is_starting_anew() -> None:
    draw = np.random.default_rng(0)
    rows = log(*((int(s), int(s), int(i), float(d)) for s, i, d in draw.integers(0, 20, (400, 3))))
    stepwise = Ease(rows, 20)
    for day in (3, 9, 10):
        stepwise.gram(day * DAY)
    np.testing.assert_allclose(stepwise.gram(15 * DAY), Ease(rows, 20).gram(15 * DAY))


def test_beyond_the_limit_the_items_that_most_have_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "MOST_ITEMS", 2)
    rows = log((1, 1, 4, 1.0), (1, 1, 2, 1.0), (2, 2, 4, 1.0), (2, 2, 2, 1.0), (3, 3, 0, 1.0))
    model = Ease(rows, 5, ridge=1.0)
    assert model.chosen.tolist() == [2, 4]
    found = model.at(2 * DAY)
    assert found.ids[:, 0].tolist() == [-1, -1, 4, -1, 2]
