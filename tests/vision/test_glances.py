from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shopvision.vision.descriptor import PALETTE
from shopvision.vision.glances import describe_averaged, glances
from tests.drawing import draw
from tests.fakes import FakeEncoder


def test_a_photo_is_seen_as_it_is_mirrored_and_from_nearer() -> None:
    """100 x 50 pixels: 84 x 42 of them lie in the middle; the red pixel goes from left to right."""
    photo = Image.new("RGB", (100, 50))
    photo.putpixel((0, 7), (255, 0, 0))
    same, mirror, middle = glances(photo)
    assert same is photo
    assert mirror.getpixel((99, 7)) == (255, 0, 0)
    assert middle.size == (84, 42)
    assert [one.size for one in glances(Image.new("RGB", (1, 1)))] == [(1, 1)] * 3


def test_the_mean_of_three_directions_is_taken() -> None:
    encoder = FakeEncoder()
    photos = [draw(0), draw(1)]
    found = describe_averaged(encoder, photos)
    assert PALETTE not in found
    each = encoder.describe(glances(photos[1]))["c5"]
    mean = (each / np.linalg.norm(each, axis=1, keepdims=True)).mean(0)
    assert found["c5"][1] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert describe_averaged(encoder, [])["c5"].shape == (0, each.shape[1])
