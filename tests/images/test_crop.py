import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shopvision.exceptions import ImageRejected
from shopvision.images.crop import LEAST_PIXELS, crop, propose, views
from shopvision.types import FULL_FRAME, Region

SIDES = st.integers(1, 300)
EDGE = st.floats(0, 1, allow_nan=False)


def test_a_region_cuts_its_pixels() -> None:
    """0.25-0.75 of 100 is 25-75, 0.1-0.5 of 60 is 6-30."""
    assert crop(Image.new("RGB", (100, 60)), Region(0.25, 0.1, 0.75, 0.5)).size == (50, 24)


def test_no_region_and_the_full_frame_are_the_image_itself() -> None:
    image = Image.new("RGB", (10, 10))
    assert crop(image, None) is image
    assert crop(image, FULL_FRAME) is image


@given(SIDES, SIDES, EDGE, EDGE, EDGE, EDGE)
def test_any_region_leaves_something_to_see_or_is_refused(
    w: int, h: int, a: float, b: float, c: float, d: float
) -> None:
    (x0, x1), (y0, y1) = sorted((a, c)), sorted((b, d))
    if x0 < x1 and y0 < y1:
        try:
            part = crop(Image.new("RGB", (w, h)), Region(x0, y0, x1, y1))
        except ImageRejected as error:
            assert error.code == "too_small"
            assert w * (x1 - x0) < LEAST_PIXELS
            assert h * (y1 - y0) < LEAST_PIXELS
        else:
            assert 1 <= part.width <= w
            assert 1 <= part.height <= h


def test_a_part_of_a_few_pixels_is_refused_with_its_size() -> None:
    """0.1 of 100 x 60 is 10 x 6 pixels; 0.16 of 100 is 16."""
    image = Image.new("RGB", (100, 60))
    with pytest.raises(ImageRejected, match="10 x 6 pixels") as raised:
        crop(image, Region(0, 0, 0.1, 0.1))
    assert raised.value.code == "too_small"
    assert crop(image, Region(0, 0, 0.16, 0.1)).size == (16, 6)


def test_the_middle_of_a_small_photo_is_looked_at_all_the_same() -> None:
    """0.7 of 20 is 14, from 3 to 17."""
    assert [one.size for one in views(Image.new("RGB", (20, 20)), [])] == [(20, 20), (14, 14)]


def test_an_object_on_a_plain_ground_is_boxed() -> None:
    image = Image.new("RGB", (200, 100), (250, 250, 250))
    image.paste((20, 40, 160), (50, 20, 120, 80))
    (region,) = propose(image)
    assert np.allclose(region.box(), (0.25, 0.2, 0.6, 0.8), atol=0.05)


def test_two_objects_come_larger_first() -> None:
    image = Image.new("RGB", (200, 100), (250, 250, 250))
    image.paste((160, 40, 20), (10, 10, 50, 50))
    image.paste((20, 40, 160), (100, 10, 180, 90))
    first, second = propose(image)
    assert first.x0 > 0.4 > second.x0


@pytest.mark.parametrize("kind", ["plain", "noise", "filled"])
def test_nothing_is_proposed_when_unsure(kind: str) -> None:
    image = Image.new("RGB", (80, 80), (250, 250, 250))
    if kind == "noise":
        image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8))
    if kind == "filled":
        image.paste((20, 40, 160), (2, 2, 78, 78))
    assert propose(image) == []


def test_a_scene_is_looked_at_twice_and_a_packshot_once() -> None:
    """15 % off each side of 200 x 100 is 140 x 70."""
    scene = Image.fromarray(np.random.default_rng(0).integers(0, 255, (100, 200, 3), np.uint8))
    assert [view.size for view in views(scene, propose(scene))] == [(200, 100), (140, 70)]
    packshot = Image.new("RGB", (200, 100), "white")
    packshot.paste((200, 0, 0), (60, 20, 140, 80))
    assert views(packshot, propose(packshot)) == [packshot]
