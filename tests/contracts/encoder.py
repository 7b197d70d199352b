"""What every encoder must do; an encoder's test module inherits it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from shopvision.encoders.base import PALETTE, Descriptors, Encoder, EncoderSpec, check_blocks, families
from shopvision.encoders.descriptor import pack, unpack
from shopvision.encoders.projection import unit
from shopvision.exceptions import Misconfigured
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
    return {name: float((unit(a[name]) * unit(b[name])).sum(1).min()) for name in a if name != PALETTE}


def names_of(encoder: Encoder) -> list[str]:
    return [one.name for one in encoder.spec.blocks]


class EncoderContract:
    """Give a fixture ``encoder``; ``tolerance`` is what a value may differ by within a batch."""

    tolerance = 1e-4

    @pytest.fixture(scope="class")
    def described(self, encoder: Encoder) -> Descriptors:
        return encoder.describe(PHOTOS)

    def test_every_block_of_the_record_has_a_row_for_every_photo(
        self, encoder: Encoder, described: Descriptors
    ) -> None:
        assert [name for name in described if name != PALETTE] == [one.name for one in encoder.spec.blocks]
        for one in encoder.spec.blocks:
            block = described[one.name]
            assert (block.shape, block.dtype) == ((len(PHOTOS), one.dim), np.float32), one.name
            assert np.isfinite(block).all(), one.name

    def test_names_are_unique_and_a_block_takes_part_in_the_embedding(self, encoder: Encoder) -> None:
        names = [one.name for one in encoder.spec.blocks]
        assert len(set(names)) == len(names)
        assert not any("," in name or name == PALETTE for name in names)
        assert families(encoder.spec.blocks)
        assert {one.compared_by for one in encoder.spec.blocks} <= {"cosine", "correlation"}
        assert check_blocks(encoder) is encoder

    def test_other_blocks_are_another_encoder(self, encoder: Encoder) -> None:
        first = encoder.spec.blocks[0]
        for other in (
            replace(first, name="other"),
            replace(first, dim=first.dim + 1),
            replace(first, family="x"),
        ):
            changed = replace(encoder.spec, blocks=(other, *encoder.spec.blocks[1:]))
            assert changed.digest != encoder.spec.digest

    def test_texts_are_described_by_blocks_of_photos_or_refused(self, encoder: Encoder) -> None:
        if not encoder.supports_text:
            with pytest.raises(Misconfigured, match="reads no text"):
                encoder.describe_text(["a red mug"])
            return
        found, dims = (
            encoder.describe_text(["a red mug", ""]),
            {one.name: one.dim for one in encoder.spec.blocks},
        )
        assert found
        assert {name: rows.shape for name, rows in found.items()} == {name: (2, dims[name]) for name in found}

    def test_it_says_whether_it_works(self, encoder: Encoder) -> None:
        assert isinstance(encoder.check(), list)
        assert encoder.health() is True

    def test_a_photo_alone_is_described_as_in_a_batch(self, encoder: Encoder, described: Descriptors) -> None:
        for row in (0, 3, 6):
            alone = encoder.describe([PHOTOS[row]])
            for name in names_of(encoder):
                scale = max(float(np.abs(described[name][row]).max()), 1.0)
                difference = np.abs(alone[name][0] - described[name][row]).max() / scale
                assert difference <= self.tolerance, name

    def test_order_is_kept_over_more_than_one_batch(self, encoder: Encoder, described: Descriptors) -> None:
        backwards = encoder.describe(PHOTOS[::-1] * 3)
        for name in names_of(encoder):
            for copy in range(3):
                rows = backwards[name][copy * len(PHOTOS) : (copy + 1) * len(PHOTOS)][::-1]
                np.testing.assert_allclose(unit(rows), unit(described[name]), atol=10 * self.tolerance)

    def test_different_photos_differ(self, encoder: Encoder, described: Descriptors) -> None:
        for name in [one.name for one in encoder.spec.blocks if one.family]:
            rows = unit(described[name])
            assert float(rows[0] @ rows[1]) < 0.9999, name

    def test_no_photos_give_no_rows_of_the_same_width(self, encoder: Encoder, described: Descriptors) -> None:
        nothing = encoder.describe([])
        assert {name: nothing[name].shape for name in names_of(encoder)} == {
            name: (0, described[name].shape[1]) for name in names_of(encoder)
        }

    def test_the_same_photo_gives_the_same_numbers(self, encoder: Encoder) -> None:
        first, second = encoder.describe(PHOTOS[:3]), encoder.describe(PHOTOS[:3])
        for name in names_of(encoder):
            np.testing.assert_array_equal(first[name], second[name])

    def test_threads_do_not_disturb_each_other(self, encoder: Encoder, described: Descriptors) -> None:
        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(lambda row: (row, encoder.describe([PHOTOS[row]])), [0, 1, 2, 3] * 4))
        for row, alone in results:
            for name in names_of(encoder):
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
