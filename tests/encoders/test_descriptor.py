"""Blocks worked by hand, and what packing costs."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shopvision.encoders import descriptor
from shopvision.encoders.descriptor import MAX_BYTES, describe_maps, map_specs, pack, unpack
from shopvision.encoders.onnx import OnnxEncoder
from shopvision.encoders.projection import unit
from shopvision.images.preprocess import PreprocessSpec, squares


def test_the_middle_of_a_seven_by_seven_map_is_averaged() -> None:
    """Channel 0 counts 0..48 by rows: every centred mean is 24; channel 1 is 50 in one cell."""
    maps = np.zeros((1, 2, 7, 7), np.float32)
    maps[0, 0] = np.arange(49).reshape(7, 7)
    maps[0, 1, 1, 1] = 50  # inside the middle five, outside the middle three
    np.testing.assert_allclose(descriptor._central(maps, 5 / 7), [[24, 50 / 25]])
    np.testing.assert_allclose(descriptor._central(maps, 3 / 7), [[24, 0]])


def test_texture_is_mean_and_deviation_over_the_foreground() -> None:
    """Left half 1, right half 5, weights 3 : 1: mean 2, variance 3/4 * 1 + 1/4 * 9 = 3."""
    maps = np.array([[[[1.0, 5.0], [1.0, 5.0]]]], np.float32)
    front = np.ones((1, 4, 4), np.float32)
    front[:, :, :2] = 3
    np.testing.assert_allclose(descriptor._texture(maps, front), [[2, np.sqrt(3)]], rtol=1e-6)


def test_a_grid_is_the_mean_of_its_cells() -> None:
    """Columns 0..5 in cells of two: 0.5, 2.5, 4.5 in each row of cells; the second channel is 7 all over."""
    maps = np.full((1, 2, 6, 6), 7, np.float32)
    maps[0, 0] = np.arange(6)
    cells = descriptor._grid(maps).reshape(3, 3, 2)
    np.testing.assert_allclose(cells[..., 0], np.tile([0.5, 2.5, 4.5], (3, 1)), rtol=1e-6)
    np.testing.assert_allclose(cells[..., 1], 7, rtol=1e-6)


def test_the_grid_of_a_wide_network_keeps_its_size_and_its_cosines() -> None:
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((2, 1024, 14, 14)).astype(np.float32)
    maps[1] = 0.8 * maps[0] + 0.6 * maps[1]
    exact = unit(maps[:, :, 0:4, 0:4].mean((2, 3)))
    small = descriptor._grid(maps)
    assert small.shape == (2, 9 * 128)
    rows = unit(small)
    assert float(rows[0] @ rows[1]) == pytest.approx(0.8, abs=0.05)
    assert float(exact[0] @ exact[1]) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("side", [1, 5, 7, 14, 16, 24, 28, 50])
def test_foreground_is_averaged_to_any_grid(side: int) -> None:
    """A ramp from 0 to 111 keeps its mean, 55.5, and its slope, on grids that do not divide 112 too."""
    ramp = np.tile(np.arange(112, dtype=np.float32), (1, 112, 1))
    pooled = descriptor._pool(ramp, side, side)
    assert pooled.shape == (1, side, side)
    np.testing.assert_allclose(pooled[0, 0], (np.arange(side) + 0.5) * 112 / side - 0.5, atol=0.05)


def test_a_thumbnail_has_the_grey_of_its_cells() -> None:
    """White above, black below: six rows of 1, six of 0; red is 0.299 of white."""
    pixels = np.zeros((2, 24, 24, 3), np.uint8)
    pixels[0, :12] = 255
    pixels[1, :, :, 0] = 255
    first, second = descriptor._thumb(pixels).reshape(2, 12, 12)
    np.testing.assert_allclose(first, np.repeat([1.0, 0.0], 6)[:, None] * np.ones(12), atol=1e-6)
    np.testing.assert_allclose(second, 0.299, atol=1e-6)


def test_packed_blocks_keep_within_the_size_and_their_cosines(
    fp32: OnnxEncoder, drawings: list[Image.Image]
) -> None:
    described = fp32.describe([*drawings[:8], *noisy(4)])
    packed = [pack(described, row) for row in range(12)]
    assert max(len(data) for data in packed) <= MAX_BYTES + 64  # and the names of the blocks
    back = unpack(packed)
    assert list(back) == [one.name for one in fp32.spec.blocks]
    for name in back:
        cosine = (unit(described[name]) * unit(back[name])).sum(1)
        assert cosine.min() > (0.98 if name == "grid" else 0.998), name


def noisy(count: int) -> list[Image.Image]:
    """The photo that compresses worst."""
    rng = np.random.default_rng(1)
    return [Image.fromarray(rng.integers(0, 256, (224, 224, 3), np.uint8)) for _ in range(count)]


def test_steps_are_worked_by_hand() -> None:
    """Signed: 127 steps of max/127 each way; unsigned: squares of 255ths of the largest value."""
    rows = {"a": np.array([[-2.0, 1.0, 0.0]]), "b": np.array([[4.0, 1.0, 0.0]])}
    back = unpack([pack(rows, 0)])
    np.testing.assert_allclose(
        back["a"], [[-2, 2 * 63 / 127, 0]], rtol=1e-6
    )  # 190.5 is rounded to even: 190 - 127
    np.testing.assert_allclose(back["b"], [[4, 4 * (128 / 255) ** 2, 0]], rtol=1e-6)


def test_no_photos_unpack_to_no_blocks_and_another_format_is_refused() -> None:
    assert unpack([]) == {}
    with pytest.raises(ValueError, match="format 9"):
        unpack([bytes([9, 1])])


def test_rows_of_other_blocks_are_not_read_together() -> None:
    one, other = {"clip": np.array([[1.0, 2.0]])}, {"c5": np.array([[1.0, 2.0]])}
    assert list(unpack([pack(one, 0)])) == ["clip"]
    for mixed in ([pack(one, 0), pack(other, 0)], [pack(one, 0), pack({"clip": np.ones((1, 3))}, 0)]):
        with pytest.raises(ValueError, match="other blocks"):
            unpack(mixed)


def test_a_damaged_row_is_an_error_that_says_so() -> None:
    packed = pack({"a": np.array([[0.5, 1.0]])}, 0)
    for damaged in (packed[:-1], packed[:13] + b"x" * 9):
        with pytest.raises(ValueError, match="damaged"):
            unpack([damaged])


def test_colour_and_thumb_do_not_come_from_the_network(drawings: list[Image.Image]) -> None:
    pixels = squares(drawings[:2], PreprocessSpec())
    shapes = {"c5": (2, 4, 7, 7), "t10": (2, 4, 14, 14), "t4": (2, 4, 28, 28)}
    zeros = describe_maps({n: np.zeros(s, np.float32) for n, s in shapes.items()}, pixels)
    ones = describe_maps({n: np.ones(s, np.float32) for n, s in shapes.items()}, pixels)
    for name in ("colour", "figure", "layout", "thumb"):
        np.testing.assert_array_equal(zeros[name], ones[name])
    assert {one.name: one.dim for one in map_specs((4, 4, 4))} == {
        name: rows.shape[1] for name, rows in zeros.items() if name != "palette"
    }
    assert {one.name: one.dim for one in map_specs((4, 4, 4))} == {
        "c5": 4, "c3": 4, "t10": 8, "t4": 8, "colour": 405, "figure": 405, "layout": 2744, "thumb": 144,
        "grid": 36,
    }  # fmt: skip
