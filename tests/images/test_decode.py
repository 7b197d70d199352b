import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shopvision.exceptions import ImageRejected
from shopvision.images.decode import DecodeLimits, announced_size, decode
from shopvision.images.header import exif_orientation
from tests.images import corpus

ROOT = Path(__file__).resolve().parents[2]
MEGABYTE = 2**20
MEASURE = """
import json, sys, time
from shopvision.exceptions import ImageRejected
from shopvision.images.decode import decode
from tests.images import corpus

def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024

decode(corpus.encoded(corpus.picture(), "JPEG"))
decode(corpus.encoded(corpus.picture(), "AVIF"))
data = sys.stdin.buffer.read()
open("/proc/self/clear_refs", "w").write("5")
before = peak()
start = time.process_time()
try:
    decode(data)
    code = ""
except ImageRejected as error:
    code = error.code
print(json.dumps({"code": code, "seconds": time.process_time() - start, "bytes": peak() - before}))
"""


def quarter_colours(image: Image.Image) -> list[tuple[int, int, int]]:
    """The colour in the middle of each quarter: top left, top right, bottom left, bottom right."""
    width, height = image.size
    return [
        image.getpixel((width * x // 4, height * y // 4))  # type: ignore[misc]
        for y in (1, 3)
        for x in (1, 3)
    ]


def assert_alike(image: Image.Image, colours: list[tuple[int, int, int]], tolerance: int = 12) -> None:
    found = np.array(quarter_colours(image))
    assert np.abs(found - np.array(colours)).max() <= tolerance, found.tolist()


UPRIGHT = [(220, 30, 30), (30, 200, 30), (30, 30, 220), (230, 220, 40)]


@pytest.mark.parametrize("name", corpus.FILES)
def test_every_file_gets_its_code_at_once(name: str) -> None:
    code, make = corpus.FILES[name]
    data, found = make(), corpus.GOOD
    start = time.process_time()
    try:
        assert decode(data).mode == "RGB"
    except ImageRejected as error:
        found = error.code
    assert found == code
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("name", corpus.MEASURED)
def test_a_bomb_stays_within_time_and_memory(name: str) -> None:
    code, make = corpus.FILES[name]
    run = subprocess.run(
        [sys.executable, "-c", MEASURE], input=make(), capture_output=True, cwd=ROOT, check=True, timeout=60
    )
    seen = json.loads(run.stdout)
    assert seen["code"] == code
    assert seen["seconds"] < 2.0
    assert seen["bytes"] < 300 * MEGABYTE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_each_exif_orientation_comes_out_upright(orientation: int) -> None:
    image = decode(corpus.oriented(orientation))
    assert image.size == (64, 48)
    assert_alike(image, UPRIGHT)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_other_formats_are_turned_too(kind: str) -> None:
    stored = corpus.picture().transpose(Image.Transpose.ROTATE_90)
    image = decode(corpus.encoded(stored, kind, exif=corpus.exif(6)))
    assert image.size == (64, 48)
    assert_alike(image, UPRIGHT, tolerance=70)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_no_metadata_is_left(kind: str) -> None:
    image = decode(corpus.encoded(corpus.picture(), kind, exif=corpus.exif(1), icc_profile=b"x" * 200))
    assert type(image) is Image.Image
    assert image.mode == "RGB"
    assert image.info == {}
    assert dict(image.getexif()) == {}


def test_transparency_is_laid_over_white() -> None:
    image = decode(corpus.palette_with_alpha())
    assert image.getpixel((4, 16)) == (255, 255, 255)
    assert image.getpixel((28, 16)) == (0, 0, 255)


def test_half_transparency_mixes_with_white() -> None:
    """Black at alpha 51 of 255 over white: 255 * (1 - 51/255) = 204."""
    image = decode(corpus.encoded(Image.new("RGBA", (32, 32), (0, 0, 0, 51)), "PNG"))
    assert image.getpixel((5, 5)) == (204, 204, 204)


def test_grey_with_alpha_is_laid_over_white_too() -> None:
    image = decode(corpus.encoded(Image.new("LA", (32, 32), (0, 51)), "PNG"))
    assert image.getpixel((5, 5)) == (204, 204, 204)


def test_a_colour_named_transparent_becomes_white() -> None:
    image = decode(corpus.encoded(Image.new("RGB", (32, 32), (9, 8, 7)), "PNG", transparency=(9, 8, 7)))
    assert image.getpixel((5, 5)) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_upper_eight_bits() -> None:
    image = decode(corpus.encoded(Image.fromarray(np.full((20, 20), 0x8001, np.uint16)), "PNG"))
    assert image.getpixel((5, 5)) == (0x80, 0x80, 0x80)


def test_cmyk_comes_out_in_its_colours() -> None:
    assert_alike(
        decode(corpus.encoded(corpus.picture(mode="CMYK"), "JPEG", quality=95)), UPRIGHT, tolerance=40
    )


def test_a_large_transparent_photo_converts_as_a_small_one() -> None:
    """Above a million pixels the conversion goes band by band; no seam may show."""
    image = decode(corpus.encoded(Image.new("RGBA", (3000, 1777), (0, 0, 0, 51)), "PNG"))
    assert image.size == (1024, 607)
    assert image.getextrema() == ((204, 204), (204, 204), (204, 204))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize(("width", "height", "size"), [(4000, 3000, (512, 384)), (300, 600, (256, 512))])
def test_the_long_side_is_capped_and_colours_stay_put(
    kind: str, width: int, height: int, size: tuple[int, int]
) -> None:
    image = decode(corpus.encoded(corpus.picture(width, height), kind), max_side=512)
    assert image.size == size
    assert_alike(image, UPRIGHT, tolerance=20)


def test_a_small_photo_is_not_enlarged() -> None:
    assert decode(corpus.encoded(corpus.picture(40, 30), "JPEG"), max_side=1024).size == (40, 30)


def test_full_size_can_be_asked_for() -> None:
    assert decode(corpus.encoded(corpus.picture(3000, 2000), "JPEG"), max_side=None).size == (3000, 2000)


def test_the_name_of_a_file_plays_no_part() -> None:
    """A PNG that calls itself photo.jpg is still a PNG: only the bytes are looked at."""
    assert decode(corpus.png(64, 48)).size == (64, 48)


def test_one_byte_over_the_limit_is_too_large() -> None:
    data = corpus.encoded(corpus.picture(), "JPEG")
    decode(data, DecodeLimits(max_bytes=len(data)))
    with pytest.raises(ImageRejected) as caught:
        decode(data, DecodeLimits(max_bytes=len(data) - 1))
    assert caught.value.code == "too_large"


def test_one_pixel_over_the_limit_is_too_many() -> None:
    data = corpus.encoded(corpus.picture(64, 48), "JPEG")
    decode(data, DecodeLimits(max_pixels=64 * 48))
    with pytest.raises(ImageRejected) as caught:
        decode(data, DecodeLimits(max_pixels=64 * 48 - 1))
    assert caught.value.code == "too_many_pixels"


def test_a_format_the_shop_does_not_allow_is_refused_and_the_message_says_which_are() -> None:
    with pytest.raises(ImageRejected, match="not a JPEG photo") as caught:
        decode(corpus.png(64, 48), DecodeLimits(formats=("JPEG",)))
    assert caught.value.code == "unsupported_format"


@pytest.mark.parametrize("order", ["little", "big"])
def test_orientation_is_read_in_both_byte_orders(order: str) -> None:
    mark = {"little": b"II*\0", "big": b"MM\0*"}[order]

    def number(value: int, size: int) -> bytes:
        return value.to_bytes(size, order)  # type: ignore[arg-type]

    entry = number(0x0112, 2) + number(3, 2) + number(1, 4) + number(8, 2) + b"\0\0"
    assert exif_orientation(mark + number(8, 4) + number(1, 2) + entry) == 8


@pytest.mark.parametrize(
    "broken", [b"", b"Exif\0\0", b"MM\0*\0\0\0\x08\xff\xff", corpus.exif(9), corpus.exif(0)]
)
def test_orientation_that_makes_no_sense_is_upright(broken: bytes) -> None:
    assert exif_orientation(broken) == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_announced_size_is_that_of_the_upright_photo(orientation: int) -> None:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", (600, 400)).save(out, "JPEG", exif=exif)
    upright = decode(out.getvalue())
    assert announced_size(out.getvalue()) == upright.size
    assert decode(out.getvalue(), max_side=224).size == ((224, 149) if orientation < 5 else (149, 224))
    assert announced_size(b"no photo") is None
    assert announced_size(out.getvalue()[:8]) is None
