"""Features: worked by hand, finite whatever is missing, and the same whatever order the listing has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shopvision.ranking.features import FEATURES, HALF_LIFE_DAYS, LATELY_DAYS, PLACE, features
from shopvision.ranking.item_model.builder import build
from shopvision.ranking.item_model.model import NOTHING, Knowledge
from shopvision.ranking.item_model.neighbours import Neighbours
from tests.ranking.drawn import DAY, facts, log, nobody, plain, viewed


@pytest.fixture
def knowledge() -> Knowledge:
    """Item 0 points at 1 with 0.36 and at 2 with 0.04; item 1 at 2 with 0.16."""
    ids = np.array([[1, 2], [2, -1], [-1, -1]], np.int32)
    weights = np.array([[0.36, 0.04], [0.16, 0], [0, 0]], np.float32)
    names = tuple(f"shop.product:{item}" for item in range(3))
    return Knowledge(
        names, {"next": Neighbours(ids, weights)}, {"popularity": np.array([0.5, 0.25, 1], np.float32)}
    )


def column(x: np.ndarray, name: str) -> list[float]:
    return [round(float(value), 4) for value in x[:, PLACE[name]]]


def test_neighbours_of_two_products_add_up_by_their_say(knowledge: Knowledge) -> None:
    """Both were seen at once, so each has half the say: sqrt((.04 + .16) / 2) for item 2."""
    seen = replace(viewed(0, 1), ages_days=np.zeros(2, np.float32))
    x = features(knowledge, seen, plain(np.array([2, 1, 0])))
    assert column(x, "next_sum") == [round((0.2 / 2) ** 0.5, 4), round((0.36 / 2) ** 0.5, 4), 0]
    assert column(x, "next_best") == [0.4, 0.6, 0]
    assert column(x, "popularity") == [1, 0.25, 0.5]


@pytest.mark.parametrize(("way", "half_life"), [("sum", HALF_LIFE_DAYS), ("lately", LATELY_DAYS)])
def test_an_act_older_by_its_half_life_has_half_the_say(
    knowledge: Knowledge, way: str, half_life: float
) -> None:
    seen = replace(viewed(0, 1), ages_days=np.array([0, half_life], np.float32))
    x = features(knowledge, seen, plain(np.array([2])))
    assert column(x, f"next_{way}") == [round((0.04 * 2 / 3 + 0.16 / 3) ** 0.5, 4)]


def test_of_several_acts_on_one_product_the_strongest_counts(knowledge: Knowledge) -> None:
    """Item 0 was viewed and bought (3 views), item 1 viewed: (3/4 .04 + 1/4 .16)."""
    seen = replace(viewed(0, 0, 1), kinds=("view", "purchase", "view"), ages_days=np.zeros(3, np.float32))
    x = features(knowledge, seen, plain(np.array([2])))
    assert column(x, "next_sum") == [round((0.75 * 0.04 + 0.25 * 0.16) ** 0.5, 4)]


def test_a_product_seen_before_is_known_again_even_if_newer_than_the_knowledge(knowledge: Knowledge) -> None:
    x = features(knowledge, viewed(7, 7, 1), plain(np.array([7, 1, 2, -1])))
    assert column(x, "seen") == [round(float(np.log(3)), 4), round(float(np.log(2)), 4), 0, 0]
    assert column(x, "known") == [0, 1, 1, 0]


def test_content_ranks_what_no_event_mentions(knowledge: Knowledge) -> None:
    alike = np.array([[0.9], [0.1], [np.nan]], np.float32)
    x = features(knowledge, viewed(0), replace(plain(np.full(3, -1)), content={"visual": alike}))
    assert column(x, "visual_mean") == column(x, "visual_best") == [0.9, 0.1, 0]


def test_likeness_of_words_comes_from_the_knowledge() -> None:
    titles = ("red mug", "red mug", "blue plate", "blue plate")
    known = build(log((1, 1, 0, 1.0)), facts(*titles), now=2 * DAY)
    x = features(known, viewed(0), plain(np.array([1, 2])))
    assert column(x, "text_best")[0] == pytest.approx(1, abs=2e-3)
    assert column(x, "text_best")[1] == pytest.approx(0, abs=2e-3)


def test_words_of_the_titles_are_compared_by_rarity() -> None:
    """Three titles: ``mug`` is in two (idf log(4/3) + 1), ``red`` and ``blue`` in one (log(4/2) + 1)."""
    known = build(log((1, 1, 0, 1.0)), facts("red mug", "blue mug", "plate"), now=2 * DAY)
    x = features(known, viewed(0), plain(np.array([0, 1, 2, 9])))
    mug, red = np.log(4 / 3) + 1, np.log(4 / 2) + 1
    assert column(x, "words") == [1, round(mug / (mug + red), 4), 0, 0]
    assert column(x, "words_often") == [1, round((mug / (mug + red)) ** 0.5, 4), 0, 0]


def test_price_and_category_are_compared_with_the_profile(knowledge: Knowledge) -> None:
    seen = replace(
        viewed(0, 1),
        ages_days=np.zeros(2, np.float32),
        prices=np.array([10, 40], np.float32),
        categories=np.array([5, 6], np.int32),
    )
    listed = replace(
        plain(np.array([0, 1, 2])),
        price=np.array([20, 40, np.nan], np.float32),
        category=np.array([5, -1, 7], np.int32),
    )
    x = features(knowledge, seen, listed)
    assert column(x, "price_gap") == column(x, "dearer") == [0, round(float(np.log(2)), 4), 0]
    assert column(x, "price") == [round(float(np.log(21)), 4), round(float(np.log(41)), 4), 0]
    assert column(x, "category") == [0.5, 0, 0]


def test_newness_and_the_shops_own_order(knowledge: Knowledge) -> None:
    listed = replace(
        plain(np.array([0, 1, 2])),
        age_days=np.array([0, 30, np.nan], np.float32),
        position=np.array([0, 20, -1], np.int32),
    )
    x = features(knowledge, nobody(), listed)
    assert column(x, "fresh") == [1, 0.5, 0]
    assert column(x, "young") == [1, round(0.5 ** (1 / 6), 4), 0]
    assert column(x, "position") == [1, 0.5, 0]


def test_live_counts_stand_in_where_the_knowledge_is_silent() -> None:
    listed = replace(plain(np.full(3, -1)), popularity=np.array([0, 8, np.nan], np.float32))
    assert column(features(NOTHING, nobody(), listed), "popularity") == [0, 1, 0]


def test_the_order_of_the_listing_changes_nothing(knowledge: Knowledge) -> None:
    numbers = np.array([2, 9, 0, 1])
    backwards = numbers[::-1].copy()
    np.testing.assert_allclose(
        features(knowledge, viewed(0, 9), plain(numbers)),
        features(knowledge, viewed(0, 9), plain(backwards))[::-1],
    )


@pytest.mark.parametrize("profile", [nobody(), viewed(0), viewed(8), viewed(0, kind="hide")])
def test_whatever_is_missing_is_nought(knowledge: Knowledge, profile: object) -> None:
    for known in (knowledge, NOTHING):
        for numbers in ([], [-1], [0, 1, 50]):
            x = features(known, profile, plain(np.array(numbers, np.int32)))  # type: ignore[arg-type]
            assert (x.shape, x.dtype) == ((len(numbers), len(FEATURES)), np.float32)
            assert np.isfinite(x).all()
