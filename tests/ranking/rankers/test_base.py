"""Every ranker keeps the contract; the untrained one is sensible before anything was learned."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from shopvision.checkpoints import IncompatibleCheckpoint
from shopvision.exceptions import Misconfigured
from shopvision.ranking.features import FEATURES
from shopvision.ranking.rankers.base import PriorRanker, Ranker
from shopvision.ranking.rankers.feature_scaling import Scaling, check_features, fit_scaling
from shopvision.ranking.rankers.lambdamart import fit_boosted
from shopvision.ranking.rankers.linear import fit_linear
from shopvision.ranking.rankers.mlp import MlpRanker
from tests.contracts.ranker import RankerContract
from tests.ranking.drawn import taught


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
        check_features(["popularity", "yesterday"])


class TestLinearRanker(RankerContract):
    @pytest.fixture
    def ranker(self) -> Ranker:
        return fit_linear(taught(20))


class TestMlpRanker(RankerContract):
    @pytest.fixture
    def ranker(self) -> Ranker:
        """Served without torch: the weights are drawn here, trained ones are judged in test_train."""
        rng = np.random.default_rng(1)
        scaling = fit_scaling(taught().x)
        width = 2 * len(scaling.features)
        shapes = {"w1": (width, 6), "b1": (6,), "w2": (2, 3, 3), "b2": (2, 1, 3), "w3": (2, 3, 1)}
        return MlpRanker(scaling, {name: rng.normal(size=s).astype(np.float32) for name, s in shapes.items()})

    def test_two_networks_worked_by_hand(self) -> None:
        """One feature, 0 in the whole and in the listing: relu(b1) = (1, 0) and (2, 3), and so on."""
        scaling = Scaling(("popularity",), np.zeros(1, np.float32), np.ones(1, np.float32))
        layers = {
            "w1": np.zeros((2, 4)),
            "b1": np.array([1, -1, 2, 3.0]),
            "w2": np.array([[[1, 0], [0, 1]], [[2, 0], [0, -1.0]]]),
            "b2": np.array([[[1, 1]], [[0, 0.0]]]),
            "w3": np.array([[[1], [1]], [[3], [5.0]]]),
        }
        expected = ((1 + 1) + (0 + 1) + 3 * 4 + 5 * 0) / 2
        found = MlpRanker(scaling, layers).score(np.zeros((1, len(FEATURES)), np.float32))
        assert found.tolist() == [expected]


class TestBoostedRanker(RankerContract):
    @pytest.fixture
    def ranker(self) -> Ranker:
        pytest.importorskip("lightgbm", reason="LightGBM is not installed")
        return fit_boosted(taught(20), rounds=5)


def test_without_lightgbm_its_ranker_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(Misconfigured, match=r"shopvision\[ranking\]"):
        fit_boosted(taught(), rounds=1)
