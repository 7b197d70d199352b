"""Lessons hold what was known at each listing's own time, and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shopvision.ranking.features import PLACE, features
from shopvision.ranking.interactions import Interactions
from shopvision.ranking.item_model.builder import Builder
from shopvision.ranking.training.examples import Answered, Lessons, Past, joined, learn_from
from tests.ranking.drawn import DAY, facts, log, plain, taught

CATALOGUE = facts("red mug", "blue mug", "plate", "cup")
ROWS = ((1, 1, 0, 1.0), (1, 1, 1, 1.0), (2, 2, 0, 2.0), (1, 3, 2, 5.0), (2, 4, 3, 20.0))


def learned(rows: Interactions, *listings: Answered) -> Lessons:
    return learn_from(Builder(rows, CATALOGUE), Past(rows, CATALOGUE), CATALOGUE, listings)


def answered(subject: int, day: float, *items: int) -> Answered:
    chosen = np.zeros(len(items), np.float32)
    chosen[:1] = 1
    return Answered(subject, day * DAY, np.array(items, np.int32), chosen)


def test_a_profile_is_newest_first_and_ends_before_its_time() -> None:
    profile = Past(log(*ROWS), CATALOGUE).profile(1, before=5 * DAY, at=5 * DAY)
    assert profile.items.tolist() == [1, 0]
    assert profile.refs == ("shop.product:1", "shop.product:0")
    assert profile.ages_days.tolist() == [4, 4]
    assert Past(log(*ROWS), CATALOGUE).profile(1, before=6 * DAY, at=6 * DAY).items.tolist() == [2, 1, 0]
    assert len(Past(log(*ROWS), CATALOGUE).profile(9, before=6 * DAY, at=6 * DAY)) == 0


def test_lessons_are_the_features_of_their_own_time_in_the_order_given() -> None:
    late, early = answered(2, 10, 0, 1, 2), answered(2, 3, 1, 2)
    found = learned(log(*ROWS), late, early)
    assert (len(found), found.starts.tolist(), found.subjects.tolist()) == (2, [0, 3, 5], [2, 2])
    assert found.chosen.tolist() == [1, 0, 0, 1, 0]
    builder = Builder(log(*ROWS), CATALOGUE)
    profile = Past(log(*ROWS), CATALOGUE).profile(2, 3 * DAY, 3 * DAY)
    expected = features(builder.at(3 * DAY), profile, plain(early.items))
    np.testing.assert_allclose(found.x[found.rows(1)], expected, rtol=1e-5)


def test_what_happens_later_teaches_nothing() -> None:
    listing = answered(2, 3, 1, 2)
    later = log(*ROWS, (2, 9, 1, 3.0), (1, 8, 2, 3.5))
    np.testing.assert_array_equal(learned(later, listing).x, learned(log(*ROWS), listing).x)


def test_positions_are_kept_and_the_listing_is_not_taught_its_own_order() -> None:
    shown = replace(answered(2, 3, 1, 2), positions=np.array([4, 0]))
    found = learned(log(*ROWS), shown, answered(2, 3, 1, 2))
    assert found.positions.tolist() == [4, 0, -1, -1]
    assert not found.x[:, PLACE["position"]].any()


def test_some_of_the_lessons_and_several_as_one() -> None:
    whole = taught(6)
    part = whole.take(np.array([4, 1]))
    np.testing.assert_array_equal(part.x[part.rows(1)], whole.x[whole.rows(1)])
    again = joined([whole.take(np.arange(2)), whole.take(np.arange(2, 6))])
    assert again.starts.tolist() == whole.starts.tolist()
    np.testing.assert_array_equal(again.x, whole.x)
