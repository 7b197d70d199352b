"""Decode untrusted bytes to an upright RGB image, or raise ImageRejected."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image, features

from ..exceptions import ImageRejected
from .header import FULL_SIZE_SCALES, PIXEL_BYTES, Header, exif_orientation, read_header, sniff

MEMORY_BYTES = 256 * 2**20  # one decode at most; the promise is 300 MB with everything around it
BAND_PIXELS = 2**20  # pixels converted at a time, so that a conversion never doubles the memory
WHITE = (255, 255, 255)

_TURNS = {  # EXIF orientation -> what makes it upright (TIFF 6.0, tag 274)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height
_PILLOW_FAILS_WITH = (  # on broken input; found by fuzzing, see tests/images/test_decode_properties.py
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What a photo may cost; the defaults are those of ``conf``.

    Args:
        max_bytes: of the file.
        max_pixels: the header may announce; formats that decode at a higher price are capped lower, so that
            one decode stays within ``MEMORY_BYTES``.
        min_side: shortest side, pixels.
        formats: allowed formats by Pillow's name.
    """

    max_bytes: int = 12 * 2**20
    max_pixels: int = 40_000_000
    min_side: int = 16
    formats: tuple[str, ...] = ("JPEG", "PNG", "WEBP", "AVIF")


DEFAULT_LIMITS = DecodeLimits()


def decode(data: bytes, limits: DecodeLimits = DEFAULT_LIMITS, *, max_side: int | None = 1024) -> Image.Image:
    """Read a photo from anyone: upright, RGB, no metadata, the long side at most ``max_side``.

    Transparency is laid over white. Size and frames are read from the header before a pixel is decoded; a
    large JPEG is scaled while it is decoded. Time stays under 2 s and memory under 300 MB for any bytes.

    Args:
        data: the whole file.
        limits: what it may cost.
        max_side: pixels; None keeps the full size (and costs 4 bytes more for every pixel).

    Raises:
        ImageRejected: with one of its codes; the caller's fault, never retried.
    """
    header = _admit(data, limits)
    scale = _shrink(header, max_side)
    if header.size:
        _check_size(header.size, header, limits, scale, max_side)
    try:
        image = Image.open(BytesIO(header.body), formats=[header.format])
        _check_opened(image, header, limits, max_side)
        if scale > 1:
            image.draft(None, (image.width // scale, image.height // scale))
        small = _reduced(image, max_side)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageRejected("too_many_pixels", "photo_too_large_to_decode", error=error) from error
    except _PILLOW_FAILS_WITH as error:
        raise ImageRejected(
            "truncated",
            "photo_file_damaged",
            format=header.format,
            error=str(error),
        ) from error
    orientation = header.orientation
    if header.format == "AVIF":  # Pillow made it from the file's own rotation and mirror boxes
        orientation = exif_orientation(image.info.get("exif", b""))
    return small.transpose(_TURNS[orientation]) if orientation in _TURNS else small


def announced_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of the upright photo as its header tells them.

    Returns:
        pixels; None where only the decoder can tell, and for what ``decode`` will refuse.
    """
    kind = sniff(data)
    try:
        header = read_header(data, kind) if kind else None
    except ImageRejected:
        return None
    if header is None or header.size is None:
        return None
    width, height = header.size
    return (height, width) if header.orientation in SIDEWAYS else (width, height)


@cache
def readable_formats(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the formats that this Pillow can read."""
    needs = {"WEBP": "webp", "AVIF": "avif", "JPEG": "jpg", "PNG": "zlib"}
    return tuple(name for name in wanted if features.check(needs.get(name, "")))


def _admit(data: bytes, limits: DecodeLimits) -> Header:
    """Everything that can be refused without decoding."""
    if not data:
        raise ImageRejected("empty", "photo_file_empty")
    if len(data) > limits.max_bytes:
        raise ImageRejected(
            "too_large",
            "photo_file_over_limit",
            most=f"{limits.max_bytes:,}",
        )
    kind = sniff(data)
    if kind not in limits.formats or not readable_formats((kind,)):
        allowed = ", ".join(readable_formats(limits.formats))
        raise ImageRejected(
            "unsupported_format",
            "photo_format_unsupported",
            formats=allowed,
        )
    header = read_header(data, kind)
    if header.animated:
        raise ImageRejected("animated", "photo_animated")
    return header


def _shrink(header: Header, max_side: int | None) -> int:
    """By how much the decoder itself can scale down and still leave ``max_side`` pixels."""
    if not header.shrinks or not max_side or not header.size:
        return 1
    return next((scale for scale in FULL_SIZE_SCALES if max(header.size) >= scale * max_side), 1)


def _check_size(
    size: tuple[int, int], header: Header, limits: DecodeLimits, scale: int, max_side: int | None
) -> None:
    width, height = size
    if min(size) < limits.min_side:
        raise ImageRejected(
            "too_small",
            "photo_side_too_small",
            width=width,
            height=height,
            least=limits.min_side,
        )
    output = PIXEL_BYTES if max_side is None or header.shrinks else 0
    cost = header.pixel_bytes + output / scale**2
    most = min(limits.max_pixels, int(MEMORY_BYTES / cost))
    if width * height > most:
        raise ImageRejected(
            "too_many_pixels",
            "photo_pixels_over_limit",
            width=width,
            height=height,
            format=header.format,
            most=f"{most:,}",
        )


def _check_opened(image: Image.Image, header: Header, limits: DecodeLimits, max_side: int | None) -> None:
    """What only the decoder can tell; and that it sees the size that was checked."""
    if header.size is None:
        _check_size(image.size, header, limits, 1, max_side)
    elif header.size != image.size:
        raise ImageRejected("truncated", "photo_sizes_contradict")
    if getattr(image, "n_frames", 1) > 1:
        raise ImageRejected("animated", "photo_animated")


def _reduced(image: Image.Image, max_side: int | None) -> Image.Image:
    """Decode, convert band by band, and resize to ``max_side``; a plain image without metadata."""
    image.load()
    long = max(image.size)
    factor = max(1, long // (2 * max_side)) if max_side else 1
    flat = _flattened(image) if image.width * image.height <= BAND_PIXELS else _in_bands(image, factor)
    if max_side and max(flat.size) > max_side:
        scale = max_side / long
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        flat = flat.resize(inner, Image.Resampling.BILINEAR, reducing_gap=2.0)
    elif flat is image:
        flat = image._new(image.im)  # a plain image over the same pixels: copying them costs 1 ms
    flat.info = {}
    return flat


def _in_bands(image: Image.Image, factor: int) -> Image.Image:
    """RGB, each side divided by ``factor`` (rounded up), from horizontal bands."""
    if _is_plain(image):
        return image.reduce(factor) if factor > 1 else image
    width, height = image.size
    out = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = factor * max(1, BAND_PIXELS // (width * factor))
    for top in range(0, height, rows):
        band = _flattened(image.crop((0, top, width, min(height, top + rows))))
        out.paste(band.reduce(factor) if factor > 1 else band, (0, top // factor))
    return out


def _flattened(image: Image.Image) -> Image.Image:
    """RGB with transparency over white; 16-bit greys keep their upper eight bits."""
    if _is_plain(image):
        return image
    if image.mode.startswith("I"):
        eight = (np.asarray(image).astype(np.int32) >> 8).clip(0, 255).astype(np.uint8)
        return Image.fromarray(eight).convert("RGB")
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        layered = image.convert("RGBA")
        flat = Image.new("RGB", image.size, WHITE)
        flat.paste(layered, mask=layered.getchannel("A"))
        return flat
    return image.convert("RGB")


def _is_plain(image: Image.Image) -> bool:
    return image.mode == "RGB" and "transparency" not in image.info
