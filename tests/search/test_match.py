from __future__ import annotations

import numpy as np
import pytest

from shopvision.encoders.base import BlockSpec
from shopvision.encoders.projection import TrainingSet, generic
from shopvision.search.match import decide, lead, nearest_stranger, percentiles
from shopvision.tuning.background import LEVELS, background
from shopvision.tuning.tuner import measure
from shopvision.types import Match


def test_the_background_is_of_different_products_only() -> None:
    """Two products at right angles: every pair of different products has cosine 0."""
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    quantiles = background(vectors, np.array([1, 1, 2]))
    assert len(quantiles) == len(LEVELS)
    assert set(quantiles) == {0.0}
    assert background(vectors[:2], np.array([1, 1])) == []


def test_a_percentile_is_read_off_the_quantiles() -> None:
    quantiles = [level / 100 for level in LEVELS]
    assert percentiles([0.5, 2.0, -1.0], quantiles) == pytest.approx([50, 100, 0])
    assert percentiles([], quantiles) == []
    assert percentiles([0.5], []) == [None]


HALVED = {"quantiles": [level / 200 for level in LEVELS], "products": 23, "fitted": True}
"""A background whose quantile is half its level."""


def test_strangers_are_as_near_as_one_of_them_comes_by_chance() -> None:
    """0.69 of 23 are 3 %: the 97th percentile. From 100 products on it is the 99.31st; copies never reach 1."""
    assert nearest_stranger(HALVED) == pytest.approx(0.485)
    assert nearest_stranger({**HALVED, "products": 10**6}) == pytest.approx(0.9931 / 2)
    assert nearest_stranger({**HALVED, "quantiles": [1.0] * len(LEVELS)}) == 0.95
    assert nearest_stranger({}) == 0.8
    assert nearest_stranger({"quantiles": HALVED["quantiles"]}) == pytest.approx(
        0.9931 / 2
    )  # an older record


def test_the_lead_is_over_the_first_of_another_kind() -> None:
    kinds = [["mug"], ["mug", "gift"], ["plate"], ["mug"]]
    assert lead([0.9, 0.8, 0.6, 0.5], kinds) == pytest.approx(0.3)
    assert lead([0.9, 0.8, 0.6, 0.5], [["mug"]] * 4) == pytest.approx(0.4)
    assert lead([0.9, 0.8], [[], []]) == pytest.approx(0.1)
    assert lead([0.9], [["mug"]]) == 0
    assert lead([0.9, *[0.8] * 9, 0.1], [["mug"]] * 10 + [["plate"]]) == pytest.approx(0.1)


def test_even_odds_lie_at_the_nearest_strangers_with_the_usual_lead() -> None:
    """At 0.485 with a lead of half the way to 1: the threshold of weak, 0.4. All the way: 4 logits more."""
    even = decide([0.485, 0.485 - 0.515 / 2], [["mug"], ["plate"]], HALVED)
    assert even.probability == pytest.approx(0.4)
    sure = decide([1.0, 1.0 - 0.515 / 2], [["mug"], ["plate"]], HALVED)
    assert sure.level == "strong"
    assert sure.probability == pytest.approx(1 / (1 + 1.5 * np.exp(-4)))
    crowded = decide([0.485, 0.485], [["mug"], ["plate"]], HALVED)
    assert crowded.level == "none"
    assert crowded.probability == pytest.approx(1 / (1 + 1.5 * np.exp(1.25)))


def test_nothing_is_denied_before_a_shop_is_tuned() -> None:
    far = ([0.1, 0.1], [["mug"], ["plate"]])
    assert decide(*far, HALVED).level == "none"
    assert decide(*far, {**HALVED, "fitted": False}).level == "weak"
    assert decide(*far, {}).level == "weak"
    assert decide([1.0, 0.7], [["mug"], ["plate"]], {}).level == "strong"
    assert decide([], [], {}) == Match("none", 0.0)


@pytest.mark.django_db
@pytest.mark.parametrize(("further", "fitted"), [(3, True), (1, False)])
def test_what_a_further_photo_looks_like_is_known_where_half_of_the_products_have_one(
    further: int, fitted: bool
) -> None:
    products = np.concatenate([np.arange(6), np.arange(further)])
    rng = np.random.default_rng(0)
    specs = (BlockSpec("c5", 8, "shape"), BlockSpec("t4", 8, "texture"), BlockSpec("colour", 8, "colour"))
    blocks = {one.name: rng.random((len(products), 8)).astype(np.float32) for one in specs}
    training = TrainingSet(blocks, products, np.arange(len(products)) < 6, specs)
    assert measure(training, generic(specs, 4))["fitted"] is fitted
