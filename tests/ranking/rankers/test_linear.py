"""The linear ranker finds what was chosen, and nothing else says anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from shopvision.evaluation.ranking_metrics import ndcg_at, ranked
from shopvision.ranking.features import FEATURES, PLACE
from shopvision.ranking.rankers.base import Ranker
from shopvision.ranking.rankers.linear import fit_linear, targets
from shopvision.ranking.training.examples import Lessons
from tests.ranking.drawn import taught


def quality(ranker: Ranker, lessons: Lessons) -> float:
    spans = [lessons.rows(listing) for listing in range(len(lessons))]
    return float(
        np.mean([ndcg_at(ranked(lessons.chosen[span], ranker.score(lessons.x[span])), 10) for span in spans])
    )


class Plain:
    """No-op, or shuffle."""

    kind = "plain"
    features: tuple[str, ...] = ()

    def __init__(self, seed: int | None) -> None:
        self.seed = seed

    def score(self, x: np.ndarray) -> np.ndarray:
        return np.zeros(len(x)) if self.seed is None else np.random.default_rng(self.seed).random(len(x))

    def to_bytes(self) -> bytes:
        return b""


def test_it_ranks_new_listings_far_better_than_no_op_and_shuffle() -> None:
    ranker, others = fit_linear(taught()), taught(seed=1)
    assert quality(ranker, others) > 0.8
    assert quality(Plain(None), others) < 0.3
    assert quality(Plain(3), others) < 0.3


def test_the_column_that_decides_weighs_most() -> None:
    ranker = fit_linear(taught())
    strength = np.abs(ranker.weights.reshape(2, -1).sum(axis=0))
    order = [ranker.features[column] for column in np.argsort(-strength)[:2]]
    assert order == ["next_sum", "popularity"]


def test_constant_columns_are_left_out() -> None:
    lessons = taught()
    lessons.x[:, PLACE["visual_mean"]] = 0.5
    ranker = fit_linear(lessons)
    assert set(FEATURES) - set(ranker.features) == {"visual_mean"}


def test_targets_share_out_what_was_chosen() -> None:
    """Weights 1 and 3 of a listing's two answers are 1/4 and 3/4; nothing chosen stays nothing."""
    lessons = Lessons(
        np.zeros((5, len(FEATURES)), np.float32),
        np.array([1, 0, 1, 0, 0], np.float32),
        np.array([0, 3, 5]),
        np.array([1, 2]),
        np.array([1, 1, 3, 1, 1], np.float32),
        np.full(5, -1, np.int32),
    )
    assert targets(lessons).tolist() == [0.25, 0, 0.75, 0, 0]


def test_listings_of_which_nothing_was_chosen_change_nothing() -> None:
    lessons = taught(20)
    twice = replace(
        lessons,
        x=np.concatenate([lessons.x, lessons.x]),
        chosen=np.concatenate([lessons.chosen, np.zeros_like(lessons.chosen)]),
        starts=np.concatenate([lessons.starts, lessons.starts[-1] + lessons.starts[1:]]),
        subjects=np.concatenate([lessons.subjects, lessons.subjects]),
        weights=np.concatenate([lessons.weights, lessons.weights]),
        positions=np.concatenate([lessons.positions, lessons.positions]),
    )
    np.testing.assert_allclose(fit_linear(twice).weights, fit_linear(lessons).weights, atol=1e-4)


def test_answers_that_weigh_more_are_heard_more() -> None:
    """Two listings disagree; the one whose answer weighs more wins within one listing."""
    x = np.zeros((2, len(FEATURES)), np.float32)
    x[0, PLACE["popularity"]], x[1, PLACE["fresh"]] = 1, 1
    one = Lessons(
        x,
        np.ones(2, np.float32),
        np.array([0, 2]),
        np.array([1]),
        np.array([3, 1], np.float32),
        np.full(2, -1, np.int32),
    )
    scores = fit_linear(one).score(x)
    assert scores[0] > scores[1]
    assert float(scores[0] - scores[1]) == pytest.approx(np.log(3), abs=0.1)
