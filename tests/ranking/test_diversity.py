from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopvision.ranking import diversity
from shopvision.ranking.exploration import SKIPPED, TOP, explore

orders = st.integers(0, 40).flatmap(lambda n: st.permutations(range(n)))


def test_equal_scores_keep_the_shops_order() -> None:
    assert diversity.best_first(np.array([1.0, 2.0, 1.0, 2.0])).tolist() == [1, 3, 0, 2]


def test_a_twin_of_the_one_above_gives_way() -> None:
    """Scores 3, 2.9, 2.8, 0: the second is the first's twin (cosine 1), the third is at a right angle."""
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    scores = np.array([3.0, 2.9, 2.8, 0.0])
    assert diversity.diverse(scores, vectors, 0.0).tolist() == [0, 1, 2, 3]
    assert diversity.diverse(scores, vectors, 0.2).tolist() == [0, 2, 1, 3]
    assert diversity.diverse(scores, None, 0.2).tolist() == [0, 1, 2, 3]


def test_nothing_moves_farther_than_allowed_worked_by_hand() -> None:
    """Best first 3 2 1 0, at most one place: place 0 takes 1 (2 and 3 are too far), then 0 is due, and so on."""
    assert diversity.at_most(np.array([3, 2, 1, 0]), 1).tolist() == [1, 0, 3, 2]
    assert diversity.at_most(np.array([3, 2, 1, 0]), 0).tolist() == [3, 2, 1, 0]


@given(order=orders, most=st.integers(1, 10))
def test_nothing_ever_moves_farther_than_allowed(order: list[int], most: int) -> None:
    found = diversity.at_most(np.array(order, np.int64), most)
    assert sorted(found.tolist()) == sorted(order)
    assert all(abs(place - own) <= most for place, own in enumerate(found.tolist()))


def test_propensities_are_the_odds_of_what_is_seen() -> None:
    """8,000 draws: how often each product stood at a place is what was said of it, to four standard errors."""
    count, share, draws = 30, 0.5, 8_000
    order = np.arange(count)[::-1].copy()
    shown, clicked = np.full(count, 40.0), np.zeros(count)
    shown[:3] = 0
    times = np.zeros((count, count))
    said = np.full((count, count), np.nan)
    for number in range(draws):
        draw = np.random.default_rng([number, 7])
        found = _with_fixed_wins(order, shown, clicked, share, draw)
        places = np.arange(count)
        times[found.order, places] += 1
        said[found.order, places] = found.propensities
    seen = times / draws
    known = ~np.isnan(said)
    error = np.sqrt(said[known] * (1 - said[known]) / draws) + 1e-9
    assert (np.abs(seen[known] - said[known]) <= 4.5 * error + 1e-6).all()
    sums = np.nansum(said, axis=0)
    assert sums == pytest.approx(np.ones(count), abs=1e-6)  # at every place, somebody


def _with_fixed_wins(
    order: np.ndarray, shown: np.ndarray, clicked: np.ndarray, share: float, draw: object
) -> object:
    """The same odds of winning in each draw, so that they can be compared."""
    pool = len(order) - TOP
    wins = np.arange(1, pool + 1) / (pool * (pool + 1) / 2)
    with patch("shopvision.ranking.exploration._wins", lambda *_: wins):
        return explore(order, shown, clicked, share=share, first=0, last=len(order), rng=draw)


def test_exploring_moves_one_product_from_behind_the_first_page_into_it() -> None:
    order = np.arange(60)
    counted = np.full(60, 100.0)
    counted[50] = 0  # nobody has seen it yet
    chosen = []
    for number in range(200):
        rng = np.random.default_rng(number)
        found = explore(order, counted, counted * 0.02, share=1.0, first=2, last=55, rng=rng)
        assert sorted(found.order.tolist()) == order.tolist()
        place = found.order.tolist().index(found.chosen)
        assert 2 + SKIPPED <= place < 2 + TOP <= found.chosen < 55
        assert 0 < found.propensities.min() <= found.propensities.max() <= 1
        chosen.append(found.chosen)
    assert max(set(chosen), key=chosen.count) == 50


def test_without_exploration_or_room_the_odds_are_one() -> None:
    for share, count in ((0.0, 60), (1.0, 10)):
        none = np.zeros(count)
        found = explore(
            np.arange(count), none, none, share=share, first=0, last=count, rng=np.random.default_rng(0)
        )
        assert found.order.tolist() == list(range(count))
        assert set(found.propensities.tolist()) == {1.0}
