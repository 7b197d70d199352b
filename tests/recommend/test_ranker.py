"""The untrained ranker keeps the contract, and is sensible before anything was learned."""

from __future__ import annotations

import numpy as np
import pytest

from shopvision.recommend.features import FEATURES
from shopvision.recommend.ranker import PriorRanker, Ranker, columns_of
from shopvision.vision.checkpoints import IncompatibleCheckpoint

from ..contracts.ranker import RankerContract


class TestPriorRanker(RankerContract):
    @pytest.fixture
    def ranker(self) -> Ranker:
        return PriorRanker()


def listing(**columns: list[float]) -> np.ndarray:
    out = np.zeros((len(next(iter(columns.values()))), len(FEATURES)), np.float32)
    for name, values in columns.items():
        out[:, FEATURES.index(name)] = values
    return out


def test_before_any_click_what_is_popular_lately_comes_first() -> None:
    scores = PriorRanker().score(listing(recent=[0.1, 0.9, 0.5]))
    assert np.argsort(-scores).tolist() == [1, 2, 0]


def test_co_visitation_counts_relative_to_the_strongest_of_the_listing() -> None:
    strong = PriorRanker({"next_sum": 2.0}).score(listing(next_sum=[0.5, 0.25, 0]))
    weak = PriorRanker({"next_sum": 2.0}).score(listing(next_sum=[0.05, 0.025, 0]))
    np.testing.assert_allclose(strong, [2, 1, 0])
    np.testing.assert_allclose(weak, strong, rtol=1e-6)


def test_a_feature_that_is_not_made_any_more_is_refused() -> None:
    with pytest.raises(IncompatibleCheckpoint, match="yesterday"):
        columns_of(["popularity", "yesterday"])
