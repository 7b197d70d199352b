"""What each kind of feature does for a ranker's order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from shopvision.ranking.features import FEATURES, PLACE
from shopvision.ranking.rankers.base import PriorRanker
from shopvision.ranking.training.examples import Answered, Lessons
from shopvision.ranking.training.feature_importance import KINDS, weighs
from shopvision.ranking.training.ranker_evaluation import Judge
from tests.ranking.drawn import log

LISTINGS, PRODUCTS = 60, 12


def judge() -> Judge:
    """What is popular is chosen; the price says nothing; the category is the same everywhere."""
    draw = np.random.default_rng(0)
    x = np.zeros((LISTINGS * PRODUCTS, len(FEATURES)), np.float32)
    x[:, PLACE["popularity"]] = draw.random(len(x))
    x[:, PLACE["price"]] = draw.random(len(x))
    x[:, PLACE["category"]] = 1
    listings = []
    for listing in range(LISTINGS):
        rows = slice(listing * PRODUCTS, (listing + 1) * PRODUCTS)
        chosen = np.zeros(PRODUCTS, np.float32)
        chosen[x[rows, PLACE["popularity"]].argmax()] = 1
        listings.append(Answered(listing, float(listing), np.arange(PRODUCTS, dtype=np.int32), chosen))
    lessons = Lessons(
        x,
        np.concatenate([one.chosen for one in listings]),
        np.arange(LISTINGS + 1) * PRODUCTS,
        np.arange(LISTINGS),
        np.ones(len(x), np.float32),
        np.full(len(x), -1, np.int32),
    )
    return Judge(lessons, listings, log((0, 0, 0, 0.0)), PRODUCTS)


def test_every_feature_that_tells_products_apart_is_of_one_kind() -> None:
    columns = Counter(name for names in KINDS.values() for name in names)
    assert set(FEATURES) - set(columns) == {"acts", "idle"}
    assert set(columns.values()) == {1}


def test_what_the_order_hangs_on_is_lost_without_it_and_the_rest_is_not() -> None:
    found = weighs(PriorRanker({"popularity": 1.0}), judge())
    assert next(iter(found)) == "popularity"
    assert found["popularity"]["lost"] > 0.3
    assert found["popularity"]["low"] > 0.2
    assert found["price"]["lost"] == found["category"]["lost"] == 0
    assert "neighbours" not in found  # nobody knows what goes with what


def test_the_same_seed_finds_the_same() -> None:
    ranker = PriorRanker({"popularity": 1.0, "price": 0.5})
    assert weighs(ranker, judge(), seed=3) == weighs(ranker, judge(), seed=3)
    assert weighs(ranker, judge(), seed=3)["price"]["lost"] == pytest.approx(-0.1, abs=0.15)
