"""The ranker that is kept is the one that later listings prove."""

from __future__ import annotations

import numpy as np

from shopvision.ranking.training.model_selection import choose, kinds, quality
from tests.ranking.drawn import taught


def test_the_ranker_that_later_listings_prove_is_kept() -> None:
    found = choose(taught(80), taught(40, seed=1), only=("prior", "linear"))
    assert found.ranker.kind == "linear"
    assert found.validated["linear"] > found.validated["prior"] > 0
    assert found.seconds.keys() == found.validated.keys() == {"prior", "linear"}
    np.testing.assert_allclose(quality(found.ranker, taught(40, seed=1)).mean(), found.validated["linear"])


def test_the_base_install_can_train_what_needs_numpy_alone() -> None:
    assert set(kinds()) >= {"prior", "linear"}
