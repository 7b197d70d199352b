from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from shopvision.classifiers.augmented_views import (
    describe_averaged,
    glances,
    pack_other_glances,
    unpack_glances,
)
from shopvision.encoders.base import PALETTE
from tests.drawing import draw
from tests.fakes import FakeEncoder


def test_a_photo_is_seen_as_it_is_mirrored_and_from_nearer() -> None:
    """100 x 50 pixels: 84 x 42 of them lie in the middle; the red pixel goes from left to right."""
    photo = Image.new("RGB", (100, 50))
    photo.putpixel((0, 7), (255, 0, 0))
    same, mirror, middle, turned = glances(photo)
    assert same is photo
    assert mirror.getpixel((99, 7)) == (255, 0, 0)
    assert middle.size == (84, 42)
    assert turned.tobytes() == ImageOps.mirror(middle).tobytes()
    assert [one.size for one in glances(Image.new("RGB", (1, 1)))] == [(1, 1)] * 4


def test_the_mean_of_four_directions_is_taken() -> None:
    encoder = FakeEncoder()
    photos = [draw(0), draw(1)]
    found = describe_averaged(encoder, photos)
    assert PALETTE not in found
    each = encoder.describe(glances(photos[1]))["c5"]
    mean = (each / np.linalg.norm(each, axis=1, keepdims=True)).mean(0)
    assert found["c5"][1] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert describe_averaged(encoder, [])["c5"].shape == (0, each.shape[1])


def test_heads_learn_from_the_mirror_image_and_the_middle() -> None:
    encoder = FakeEncoder()
    photos = [draw(0), draw(1)]
    first, second = pack_other_glances(encoder, photos)
    found = unpack_glances({7: second, 3: first})
    assert found is not None
    assert found.rows.tolist() == [7, 7, 3, 3]
    expected = encoder.describe(glances(photos[1]))["c5"]
    assert found.descriptors["c5"][:2] == pytest.approx(expected[1:3], abs=0.05 * float(expected.max()))
    assert unpack_glances({}) is None
