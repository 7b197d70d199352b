"""Whatever the bytes: an upright RGB image, or ImageRejected with a known code; never anything else."""

from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shopvision.exceptions import ImageRejected
from shopvision.images.decode import DecodeLimits, decode
from tests.images import corpus

LIMITS = DecodeLimits(max_pixels=4_000_000)
FUZZ = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MAGIC = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"RIFF\x40\0\0\0WEBPVP8 ",
    b"RIFF\x40\0\0\0WEBPVP8L",
    b"RIFF\x40\0\0\0WEBPVP8X",
    b"\0\0\0\x1cftypavif",
]
SEEDS = [
    "rotated jpeg",
    "cmyk jpeg",
    "palette with alpha",
    "16-bit png",
    "grey with alpha",
    "transparent webp",
    "animated webp",
    "animated png",
    "avif",
]


@cache
def seed(name: str) -> bytes:
    return corpus.FILES[name][1]()


def outcome(data: bytes) -> str:
    """The code, or empty for a good image; fails the test on anything else."""
    try:
        image = decode(data, LIMITS, max_side=64)
    except ImageRejected as error:
        assert error.message
        return error.code
    assert image.mode == "RGB"
    assert 1 <= max(image.size) <= 64
    assert image.info == {}
    return ""


@FUZZ
@given(st.sampled_from(MAGIC), st.binary(max_size=400))
def test_random_bytes_after_a_good_signature_are_refused(magic: bytes, rest: bytes) -> None:
    assert outcome(magic + rest) in ImageRejected.CODES


@FUZZ
@given(st.binary(max_size=400))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert outcome(data) in ImageRejected.CODES


@FUZZ
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_photo_with_changed_bytes_decodes_or_is_refused(name: str, changes: list[tuple[int, int]]) -> None:
    data = bytearray(seed(name))
    for at, value in changes:
        data[at % len(data)] = value
    assert outcome(bytes(data)) in ImageRejected.CODES | {""}


@FUZZ
@given(st.sampled_from(SEEDS), st.integers(0, 5000))
def test_a_photo_cut_anywhere_decodes_or_is_refused(name: str, at: int) -> None:
    data = seed(name)
    assert outcome(data[: at % len(data)]) in ImageRejected.CODES | {""}


@FUZZ
@given(st.sampled_from(SEEDS), st.integers(0, 5000), st.integers(0, 5000), st.binary(max_size=60))
def test_a_photo_with_a_part_replaced_decodes_or_is_refused(
    name: str, start: int, length: int, new: bytes
) -> None:
    data = seed(name)
    at = start % len(data)
    assert outcome(data[:at] + new + data[at + length % 200 :]) in ImageRejected.CODES | {""}
