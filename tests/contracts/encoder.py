"""What every encoder must do; an encoder's test module inherits it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from shopvision.encoders.base import Descriptors, Encoder, EncoderSpec
from shopvision.encoders.descriptor import BLOCKS, PALETTE, pack, unpack
from shopvision.encoders.projection import unit
from tests.drawing import draw

PHOTOS = [
    draw(0),
    draw(1, side=300),
    draw(2).resize((40, 200)),
    draw(3).resize((17, 3)),
    Image.new("RGB", (1, 1), "red"),
    Image.effect_noise((64, 96), 90).convert("RGB"),
    draw(4, side=1000),
]
"""Any size: wide, tall, one pixel, larger than the square."""


def cosines(a: Descriptors, b: Descriptors) -> dict[str, float]:
    """The least cosine of any row, by block."""
    return {name: float((unit(a[name]) * unit(b[name])).sum(1).min()) for name in BLOCKS}


class EncoderContract:
    """Give a fixture ``encoder``; ``tolerance`` is what a value may differ by within a batch."""

    tolerance = 1e-4

    @pytest.fixture(scope="class")
    def described(self, encoder: Encoder) -> Descriptors:
        return encoder.describe(PHOTOS)

    def test_every_block_has_a_row_for_every_photo(self, described: Descriptors) -> None:
        assert set(described) == {*BLOCKS, PALETTE}
        for name, block in described.items():
            assert (block.shape[0], block.dtype) == (len(PHOTOS), np.float32), name
            assert np.isfinite(block).all(), name

    def test_shape_blocks_have_the_channels_of_the_record(
        self, encoder: Encoder, described: Descriptors
    ) -> None:
        c5, t10, t4 = encoder.spec.channels
        widths = {"c5": c5, "c3": c5, "t10": 2 * t10, "t4": 2 * t4}
        assert {name: described[name].shape[1] for name in widths} == widths

    def test_a_photo_alone_is_described_as_in_a_batch(self, encoder: Encoder, described: Descriptors) -> None:
        for row in (0, 3, 6):
            alone = encoder.describe([PHOTOS[row]])
            for name in BLOCKS:
                scale = max(float(np.abs(described[name][row]).max()), 1.0)
                difference = np.abs(alone[name][0] - described[name][row]).max() / scale
                assert difference <= self.tolerance, name

    def test_order_is_kept_over_more_than_one_batch(self, encoder: Encoder, described: Descriptors) -> None:
        backwards = encoder.describe(PHOTOS[::-1] * 3)
        for name in BLOCKS:
            for copy in range(3):
                rows = backwards[name][copy * len(PHOTOS) : (copy + 1) * len(PHOTOS)][::-1]
                np.testing.assert_allclose(unit(rows), unit(described[name]), atol=10 * self.tolerance)

    def test_different_photos_differ(self, described: Descriptors) -> None:
        for name in ("c5", "colour", "thumb"):
            rows = unit(described[name])
            assert float(rows[0] @ rows[1]) < 0.9999, name

    def test_no_photos_give_no_rows_of_the_same_width(self, encoder: Encoder, described: Descriptors) -> None:
        nothing = encoder.describe([])
        assert {name: nothing[name].shape for name in BLOCKS} == {
            name: (0, described[name].shape[1]) for name in BLOCKS
        }

    def test_the_same_photo_gives_the_same_numbers(self, encoder: Encoder) -> None:
        first, second = encoder.describe(PHOTOS[:3]), encoder.describe(PHOTOS[:3])
        for name in BLOCKS:
            np.testing.assert_array_equal(first[name], second[name])

    def test_threads_do_not_disturb_each_other(self, encoder: Encoder, described: Descriptors) -> None:
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda row: (row, encoder.describe([PHOTOS[row]])), [0, 1, 2, 3] * 4))
        for row, alone in results:
            for name in BLOCKS:
                scale = max(float(np.abs(described[name][row]).max()), 1.0)
                assert np.abs(alone[name][0] - described[name][row]).max() / scale <= self.tolerance, name

    def test_photos_are_left_as_they_were(self, encoder: Encoder) -> None:
        image = draw(9)
        before = image.tobytes()
        encoder.describe([image])
        assert image.tobytes() == before

    def test_the_record_survives_its_journey(self, encoder: Encoder) -> None:
        again = EncoderSpec.from_json(encoder.spec.to_json())
        assert (again, again.digest) == (encoder.spec, encoder.spec.digest)
        assert len(encoder.spec.digest) == 64

    def test_what_is_stored_of_it_stays_near(self, described: Descriptors) -> None:
        back = unpack([pack(described, row) for row in range(len(PHOTOS))])
        assert min(cosines(described, back).values()) > 0.99
