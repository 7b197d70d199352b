"""What every ranker must do; a ranker's test module inherits it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from safetensors.numpy import load, save

from shopvision.checkpoints import METADATA, CorruptCheckpoint, IncompatibleCheckpoint, pack
from shopvision.ranking.features import FEATURES
from shopvision.ranking.rankers.base import Ranker, ranker_from_bytes


class RankerContract:
    """Give a fixture ``ranker``."""

    @pytest.fixture
    def ranker(self) -> Ranker:
        pytest.fail("a test module gives the ranker")

    @pytest.fixture
    def listing(self) -> np.ndarray:
        return np.random.default_rng(3).random((40, len(FEATURES)), np.float32)

    def test_each_product_has_a_finite_score(self, ranker: Ranker, listing: np.ndarray) -> None:
        scores = ranker.score(listing)
        assert (scores.shape, scores.dtype) == ((len(listing),), np.float32)
        assert np.isfinite(scores).all()
        assert len(np.unique(scores)) > 1

    def test_no_products_have_no_scores(self, ranker: Ranker, listing: np.ndarray) -> None:
        scores = ranker.score(listing[:0])
        assert (scores.shape, scores.dtype) == ((0,), np.float32)

    def test_a_product_alone_and_nothing_known_are_scored(self, ranker: Ranker, listing: np.ndarray) -> None:
        assert np.isfinite(ranker.score(listing[:1])).all()
        assert np.isfinite(ranker.score(np.zeros_like(listing))).all()

    def test_scores_follow_the_order_of_the_products(self, ranker: Ranker, listing: np.ndarray) -> None:
        backwards = np.arange(len(listing))[::-1]
        np.testing.assert_allclose(
            ranker.score(listing[backwards]), ranker.score(listing)[backwards], rtol=1e-4, atol=1e-5
        )

    def test_the_features_are_left_as_they_were(self, ranker: Ranker, listing: np.ndarray) -> None:
        before = listing.copy()
        ranker.score(listing)
        np.testing.assert_array_equal(listing, before)

    def test_it_reads_only_the_columns_it_names(self, ranker: Ranker, listing: np.ndarray) -> None:
        assert set(ranker.features) <= set(FEATURES)
        others = [column for column, name in enumerate(FEATURES) if name not in ranker.features]
        changed = listing.copy()
        changed[:, others] = 7
        np.testing.assert_array_equal(ranker.score(changed), ranker.score(listing))

    def test_it_survives_its_bytes(self, ranker: Ranker, listing: np.ndarray) -> None:
        data = ranker.to_bytes()
        again = ranker_from_bytes(data)
        assert type(again) is type(ranker)
        assert (again.kind, again.features) == (ranker.kind, ranker.features)
        assert again.to_bytes() == data
        np.testing.assert_array_equal(again.score(listing), ranker.score(listing))

    def test_damaged_bytes_are_refused(self, ranker: Ranker) -> None:
        data = ranker.to_bytes()
        for spoilt in (b"", data[:20], data[: len(data) // 2], b"x" * len(data)):
            with pytest.raises(CorruptCheckpoint):
                ranker_from_bytes(spoilt)

    def test_another_version_is_refused(self, ranker: Ranker) -> None:
        data = ranker.to_bytes()
        length = int.from_bytes(data[:8], "little")
        record = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][METADATA])
        newer = json.dumps({**record, "format": 99})
        with pytest.raises(IncompatibleCheckpoint):
            ranker_from_bytes(save(load(data), {METADATA: newer}))

    def test_bytes_of_something_else_are_refused(self, ranker: Ranker) -> None:
        for kind in ("training", "ranker-of-tomorrow"):
            with pytest.raises(IncompatibleCheckpoint):
                ranker_from_bytes(pack(kind, {}, {}))

    def test_threads_may_share_it(self, ranker: Ranker, listing: np.ndarray) -> None:
        expected = ranker.score(listing)
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(ranker.score, [listing] * 16):
                np.testing.assert_array_equal(found, expected)
