"""Outputs of the frozen part: remembered, checked, and the same whether remembered or not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shopvision.images.preprocess import PreprocessSpec
from tests.drawing import jpeg

torch = pytest.importorskip("torch", reason="needs the torch extra")
pytest.importorskip("torchvision", reason="needs the torch extra")

from torch import nn  # noqa: E402

from shopvision.classifiers import batches  # noqa: E402
from shopvision.classifiers.augmentation import Augmentation, Views, epoch_views  # noqa: E402
from shopvision.classifiers.batches import Batches, Source  # noqa: E402

pytestmark = pytest.mark.torch
ROWS, VIEWS = 5, 4
WANTED = [[(0, 0), (3, 1)], [(4, 2), (0, 0), (2, 5)]]


class Counting(nn.Module):  # type: ignore[misc]
    """A frozen layer that counts the photos it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, stride=4)
        self.seen = 0

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.seen += len(pixels)
        return self.layer(pixels)


@pytest.fixture
def trunk() -> Counting:
    torch.manual_seed(0)
    return Counting().eval()


def source() -> Source:
    spec = PreprocessSpec(size=64)
    return Source(Views(jpeg, spec, Augmentation(), seed=1), spec, torch.device("cpu"))


def outputs(made: Batches) -> list[np.ndarray]:
    return [one.numpy() for one in made(WANTED)]


def test_each_view_passes_the_frozen_part_once(trunk: Counting, tmp_path: Path) -> None:
    made = Batches(source(), trunk, tmp_path / "kept.f16", ROWS, VIEWS)
    before = trunk.seen  # a blank square, to learn the shape
    first = outputs(made)
    assert trunk.seen - before == 4  # (0, 0) is wanted twice
    for a, b in zip(first, outputs(made), strict=True):
        np.testing.assert_array_equal(a, b)
    assert trunk.seen - before == 4


def test_a_restart_uses_what_is_there_and_makes_anew_what_a_crash_tore(
    trunk: Counting, tmp_path: Path
) -> None:
    path = tmp_path / "kept.f16"
    first = outputs(Batches(source(), trunk, path, ROWS, VIEWS))
    with path.open("r+b") as file:  # the first output: row 0, view 0
        file.seek(10)
        file.write(b"torn")
    again = Batches(source(), trunk, path, ROWS, VIEWS)
    before = trunk.seen
    for a, b in zip(first, outputs(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert trunk.seen - before == 1


def test_remembering_changes_no_value(trunk: Counting, tmp_path: Path) -> None:
    kept = outputs(Batches(source(), trunk, tmp_path / "kept.f16", ROWS, VIEWS))
    for a, b in zip(kept, outputs(Batches(source(), trunk, None, ROWS, VIEWS)), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4)  # convolutions of another batch size


def test_what_would_not_fit_is_not_kept(
    trunk: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 4 * 16 * 16 * 2  # bytes of one output
    monkeypatch.setattr(batches, "MAX_KEPT_BYTES", ROWS * 8 * size)
    assert Batches(source(), trunk, tmp_path / "some.f16", ROWS, 20).views == 6  # 8 less the plain two
    assert (tmp_path / "some.f16").stat().st_size == ROWS * 8 * size
    monkeypatch.setattr(batches, "MAX_KEPT_BYTES", ROWS * 5 * size)
    assert Batches(source(), trunk, tmp_path / "none.f16", ROWS, 20).views == 20
    assert not (tmp_path / "none.f16").exists()


def test_views_change_from_epoch_to_epoch_and_begin_again() -> None:
    assert epoch_views([0, 1], 0, 3) == [(0, 2), (1, 3)]
    assert epoch_views([0, 1], 2, 3) == [(0, 4), (1, 2)]
    assert epoch_views([0, 1], 3, 3) == epoch_views([0, 1], 0, 3)
