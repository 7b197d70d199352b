"""Clicks fall off with the position; what was learned from them must not, in a world whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from shopvision.evaluation.ranking_metrics import ndcg_at, ranked
from shopvision.ranking.features import FEATURES, PLACE
from shopvision.ranking.rankers.base import Ranker
from shopvision.ranking.rankers.linear import fit_linear
from shopvision.ranking.training.examples import Lessons
from shopvision.ranking.training.position_bias import MOST, POSITIONS, corrected, examination
from tests.ranking.rankers.test_linear import Plain

LENGTH = 30
LOOKED = 1 / (1 + np.arange(LENGTH))


def products(count: int, draw: np.random.Generator) -> np.ndarray:
    """Features of so many products; those of no use here are nought."""
    x = np.zeros((count, len(FEATURES)), np.float32)
    for name in ("visual_mean", "popularity", "category", "words"):
        x[:, PLACE[name]] = draw.random(count)
    return x


def wanted(x: np.ndarray) -> np.ndarray:
    """Probability that somebody who looks wants it: what is like what they saw, and no best seller."""
    return 1 / (1 + np.exp(-(2 * x[:, PLACE["visual_mean"]] - 2 * x[:, PLACE["popularity"]] - 2)))


def clicked(listings: int, seed: int) -> Lessons:
    """The shop shows what is popular first, with some exploration; clicks need a look and a want."""
    draw = np.random.default_rng(seed)
    x = products(listings * LENGTH, draw)
    shown = x[:, PLACE["popularity"]] + 0.25 * draw.standard_normal(len(x))
    positions = np.argsort(np.argsort(-shown.reshape(listings, LENGTH), axis=1), axis=1).ravel()
    clicks = (draw.random(len(x)) < LOOKED[positions]) & (draw.random(len(x)) < wanted(x))
    return Lessons(
        x,
        clicks.astype(np.float32),
        np.arange(listings + 1) * LENGTH,
        np.arange(listings),
        np.ones(len(x), np.float32),
        positions.astype(np.int32),
    )


def quality(ranker: Ranker, listings: int = 300) -> float:
    """NDCG@10 against the three products that are wanted most, whatever was shown where."""
    draw = np.random.default_rng(99)
    found = []
    for _ in range(listings):
        x = products(LENGTH, draw)
        truth = wanted(x) >= np.sort(wanted(x))[-3]
        found.append(ndcg_at(ranked(truth.astype(float), ranker.score(x)), 10))
    return float(np.mean(found))


def test_a_corrected_ranker_beats_a_naive_one_by_more_than_15_percent() -> None:
    lessons = clicked(1500, seed=1)
    naive, mended = quality(fit_linear(lessons)), quality(fit_linear(corrected(lessons)))
    assert mended >= 1.15 * naive
    assert mended >= 1.4 * max(quality(Plain(None)), quality(Plain(3)))
    assert mended >= 0.95 * quality(fit_linear(corrected(lessons, LOOKED)))


def test_how_far_people_look_is_found_from_clicks() -> None:
    found = examination(clicked(3000, seed=2))
    assert found.shape == (POSITIONS,)
    np.testing.assert_allclose(found[:5], LOOKED[:5], atol=0.15)
    assert found[20] < 0.15


def test_where_nobody_knows_positions_nothing_is_corrected() -> None:
    lessons = replace(clicked(20, seed=3), positions=np.full(20 * LENGTH, -1, np.int32))
    assert (examination(lessons) == 1).all()
    assert (corrected(lessons).weights == 1).all()


def test_weights_are_the_inverse_of_the_look_and_bounded() -> None:
    lessons = clicked(1, seed=4)
    looked = np.full(LENGTH, 0.5)
    looked[3] = 1e-9
    weights = corrected(lessons, looked).weights
    assert weights[lessons.positions == 3].tolist() == [MOST]
    assert set(weights[lessons.positions != 3]) == {2.0}


def test_without_a_click_every_position_is_taken_as_looked_at() -> None:
    lessons = clicked(5, seed=5)
    nothing = replace(lessons, chosen=np.zeros_like(lessons.chosen))
    assert (examination(nothing) == 1).all()
