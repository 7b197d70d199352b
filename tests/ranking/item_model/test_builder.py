"""Columns of knowledge worked by hand; nothing later than its time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shopvision.ranking.item_model.builder import Builder, build
from tests.ranking.drawn import DAY, facts, log

CATALOGUE = facts("red mug", "blue mug", "plate")


def test_what_happens_later_changes_nothing() -> None:
    rows = [(1, 1, 0, 1.0), (1, 1, 1, 1.1), (2, 2, 0, 2.0)]
    early = build(log(*rows), CATALOGUE, now=3 * DAY)
    late = build(log(*rows, (2, 3, 1, 3.0), (3, 4, 2, 4.0)), CATALOGUE, now=3 * DAY)
    for name, one in early.neighbours.items():
        np.testing.assert_array_equal(one.ids, late.neighbours[name].ids)
        np.testing.assert_allclose(one.weights, late.neighbours[name].weights, rtol=1e-5)
    for name, column in early.columns.items():
        np.testing.assert_array_equal(column, late.columns[name])


def test_popularity_is_log_share_of_the_most_popular() -> None:
    """Three and one views just now: log(1 + 1) / log(1 + 3) = 1/2."""
    found = build(log((1, 1, 0, 1), (2, 2, 0, 1), (3, 3, 0, 1), (3, 3, 1, 1)), CATALOGUE, now=DAY + 1)
    np.testing.assert_allclose(found.columns["popularity"], [1, 0.5, 0], atol=1e-4)


def test_repeat_rate_counts_subjects_who_come_back_in_another_visit() -> None:
    """Item 0: one of two came back; item 1: one, who did not. Prior: ten subjects at 1/3."""
    rows = log((1, 1, 0, 1), (1, 2, 0, 2), (2, 3, 0, 1), (2, 3, 1, 1), (2, 3, 1, 1.1))
    found = build(rows, CATALOGUE, now=3 * DAY).columns["repeat"]
    np.testing.assert_allclose(found, [(1 + 10 / 3) / 12, (10 / 3) / 11, 1 / 3], rtol=1e-5)


def test_click_rate_is_drawn_to_the_shops_own() -> None:
    """30 clicks of 300 in all, a rate of 1/10: (20 + 50/10) / (100 + 50) over it, and so on."""
    shown, clicked = np.array([100, 200, 0], np.float32), np.array([20, 10, 0], np.float32)
    found = build(log((1, 1, 0, 1)), replace(CATALOGUE, shown=shown, clicked=clicked), now=2 * DAY)
    np.testing.assert_allclose(found.columns["ctr"], [25 / 150 / 0.1, 15 / 250 / 0.1, 1], rtol=1e-5)


def test_without_impressions_every_click_rate_is_ordinary() -> None:
    assert (build(log((1, 1, 0, 1)), CATALOGUE, now=2 * DAY).columns["ctr"] == 1).all()


def test_an_item_chosen_a_week_ago_is_half_as_lately_chosen() -> None:
    found = build(log((1, 1, 0, 1), (2, 2, 1, 8)), CATALOGUE, now=8 * DAY + 1)
    np.testing.assert_allclose(found.columns["chosen_lately"], [0.5, 1, 0], atol=1e-4)


def test_recounting_changes_what_is_popular_and_nothing_else() -> None:
    builder = Builder(log((1, 1, 0, 1), (1, 1, 1, 1), (2, 2, 2, 9)), CATALOGUE)
    old = builder.at(5 * DAY)
    new = builder.recounted(old, 10 * DAY)
    assert new.neighbours is old.neighbours
    assert new.columns["repeat"] is old.columns["repeat"]
    assert (old.columns["trend"][2], new.columns["trend"][2]) == (0, pytest.approx(1))
    assert new.as_of == 10 * DAY
