import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from shopvision.images.quality import assess, difference_hash, hamming

BITS = st.integers(-(2**63), 2**63 - 1)


def noise(seed: int, width: int = 300, height: int = 200) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


def test_a_blurred_photo_is_less_sharp() -> None:
    sharp = noise(0)
    assert assess(sharp.filter(ImageFilter.GaussianBlur(3))).sharpness < assess(sharp).sharpness / 10


def test_a_flat_grey_is_measured_exactly() -> None:
    """Level 51 of 255 is 0.2; no edge, no contrast, nothing clipped, all border alike."""
    quality = assess(Image.new("RGB", (300, 200), (51, 51, 51)))
    assert quality.as_dict() == {
        "width": 300,
        "height": 200,
        "sharpness": 0.0,
        "brightness": 0.2,
        "contrast": 0.0,
        "clipped": 0.0,
        "plain_background": 1.0,
    }


def test_half_black_half_white_is_all_clipped() -> None:
    image = Image.new("RGB", (200, 200))
    image.paste((255, 255, 255), (100, 0, 200, 200))
    quality = assess(image)
    assert (quality.clipped, quality.brightness, quality.contrast) == (1.0, 0.5, 0.5)


def test_noise_is_no_plain_background() -> None:
    assert assess(noise(1)).plain_background < 0.2


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (900, 2)])
def test_extreme_shapes_are_measured(size: tuple[int, int]) -> None:
    assert assess(Image.new("RGB", size)).sharpness == 0.0


def test_a_ramp_that_brightens_to_the_right_sets_every_bit() -> None:
    ramp = Image.fromarray(np.tile(np.arange(9, dtype=np.uint8) * 20, (8, 1)))
    assert difference_hash(ramp) == -1  # 64 ones, signed
    assert difference_hash(ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) == 0


def test_one_bright_step_sets_the_bit_of_its_cell() -> None:
    """Only the first cell of the first row is darker than its neighbour: the highest bit, so -2**63."""
    pixels = np.full((8, 9), 100, np.uint8)
    pixels[0, 0] = 50
    assert difference_hash(Image.fromarray(pixels)) == -(2**63)


def test_a_resized_copy_stays_near_and_another_photo_far() -> None:
    photo = noise(2, 16, 16).resize((400, 300), Image.Resampling.BICUBIC)
    assert hamming(difference_hash(photo), difference_hash(photo.resize((150, 111)))) <= 4
    other = noise(3, 16, 16).resize((400, 300), Image.Resampling.BICUBIC)
    assert hamming(difference_hash(photo), difference_hash(other)) >= 16


def test_hamming_counts_bits_across_the_sign() -> None:
    assert hamming(0, -1) == 64
    assert hamming(-1, -2) == 1
    assert hamming(5, 6) == 2


@given(BITS, BITS)
def test_hamming_is_symmetric_and_bounded(a: int, b: int) -> None:
    assert hamming(a, b) == hamming(b, a)
    assert 0 <= hamming(a, b) <= 64
    assert hamming(a, a) == 0
