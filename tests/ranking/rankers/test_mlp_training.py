"""Networks trained with torch are served in numpy, and rank better than chance."""

from __future__ import annotations

import numpy as np
import pytest

from tests.ranking.drawn import taught
from tests.ranking.rankers.test_linear import Plain, quality

torch = pytest.importorskip("torch", reason="needs the torch extra")
pytestmark = pytest.mark.torch


def test_what_is_trained_is_what_is_served() -> None:
    from shopvision.ranking.rankers import mlp_training

    lessons = taught(8)
    torch.manual_seed(0)
    scaling = mlp_training.fit_scaling(lessons.x)
    nets = mlp_training._Nets(2 * len(scaling.features)).eval()
    x = lessons.x[lessons.rows(0)]
    with torch.no_grad():
        expected = nets(torch.from_numpy(scaling.inputs(x)).expand(mlp_training.NETS, -1, -1)).mean(0).numpy()
    found = mlp_training.MlpRanker(scaling, nets.layers()).score(x)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_it_ranks_new_listings_far_better_than_no_op_and_shuffle() -> None:
    from shopvision.ranking.rankers.mlp_training import fit_mlp

    others = taught(seed=1)
    ranker = fit_mlp(taught(300), epochs=8)
    assert quality(ranker, others) > 0.7
    assert max(quality(Plain(None), others), quality(Plain(3), others)) < 0.3


def test_the_same_seed_gives_the_same_ranker() -> None:
    from shopvision.ranking.rankers.mlp_training import fit_mlp

    first, again, other = (fit_mlp(taught(10), seed=seed, epochs=1).to_bytes() for seed in (1, 1, 2))
    assert first == again != other
