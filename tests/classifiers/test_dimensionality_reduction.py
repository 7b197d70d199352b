from __future__ import annotations

import numpy as np
import pytest

from shopvision.classifiers.dimensionality_reduction import even, fit_reduction


def test_left_and_right_cells_are_averaged() -> None:
    """One channel, 3 x 3 cells 0..8: in each row the outer two become their mean, the middle one stays."""
    column = np.arange(9.0)[:, None]
    assert even("grid", column)[:, 0].tolist() == [1, 1, 1, 4, 4, 4, 7, 7, 7]
    assert even("c5", column) is column


def test_a_mirrored_grid_gives_the_same_row() -> None:
    rng = np.random.default_rng(0)
    grid = rng.random((20, 18)).astype(np.float32)
    mirrored = grid.reshape(20, 3, 3, 2)[:, :, ::-1].reshape(20, 18)
    blocks = {"c5": rng.random((20, 6)).astype(np.float32)}
    reduction = fit_reduction({**blocks, "grid": grid})
    there, back = reduction.rows({**blocks, "grid": grid}), reduction.rows({**blocks, "grid": mirrored})
    assert back == pytest.approx(there, abs=1e-6)
