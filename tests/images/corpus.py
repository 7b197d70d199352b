"""Hostile and odd photos, drawn by code: every file a stranger might send, with the code it must get."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO

import numpy as np
from PIL import Image

from shopvision.images.header import MAX_SCANS

GOOD = ""  # decodes
BOMB_LIMIT_BYTES = 12 * 2**20


def picture(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """Four quarters: red, green over blue, yellow; told apart under any rotation or mirror."""
    image = Image.new("RGB", (width, height), (220, 30, 30))
    half = (width // 2, height // 2)
    image.paste((30, 200, 30), (half[0], 0, width, half[1]))
    image.paste((30, 30, 220), (0, half[1], half[0], height))
    image.paste((230, 220, 40), (half[0], half[1], width, height))
    return image if mode == "RGB" else image.convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    width: int, height: int, *extra: bytes, colour: int = 2, depth: int = 8, pixels: bytes | None = None
) -> bytes:
    """A PNG made by hand; ``extra`` chunks come before the pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    if pixels is None:
        pixels = b"".join(b"\0" + b"\x80" * (3 * width) for _ in range(height))
    body = chunk(b"IDAT", zlib.compress(pixels, 9))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + body + chunk(b"IEND", b"")


def exif(orientation: int) -> bytes:
    return b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def jpeg_with(*segments: bytes) -> bytes:
    """A good JPEG with segments put in right after its start."""
    data = encoded(picture(), "JPEG")
    return data[:2] + b"".join(segments) + data[2:]


def oriented(orientation: int) -> bytes:
    """A JPEG that shows ``picture`` upright once its EXIF orientation is applied."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    image = picture()
    stored = image.transpose(undo[orientation]) if orientation in undo else image
    return encoded(stored, "JPEG", exif=exif(orientation), quality=95, subsampling=0)


def exif_directory_bomb() -> bytes:
    """Many segments of one EXIF directory: 65,535 entries that each claim ten megabytes of the file."""
    count = 65_535
    entries = b"".join(struct.pack(">HHII", tag, 1, 8_000_000, 8) for tag in range(count))
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">H", count) + entries
    tiff += bytes(8_100_000 - len(tiff))
    parts = [segment(0xE1, b"Exif\0\0" + tiff[at : at + 65_000]) for at in range(0, len(tiff), 65_000)]
    return jpeg_with(*parts)


def jpeg_announcing(width: int, height: int) -> bytes:
    data = bytearray(encoded(picture(), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_announcing(width: int, height: int) -> bytes:
    """A lossless WebP whose header names another size."""
    data = bytearray(encoded(picture(), "WEBP", lossless=True))
    at = data.index(b"VP8L") + 9
    (bits,) = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at, (bits & ~0x0FFFFFFF) | (width - 1) | (height - 1) << 14)
    return bytes(data)


def scan_bomb(scans: int = 100_000, side: int = 6_000) -> bytes:
    """A progressive JPEG of 36 million pixels with that many nearly empty scans beside its own six."""
    data = encoded(Image.new("L", (side, side), 128), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    scan = data[last:-2]
    return data[:-2] + scan * min(scans, (BOMB_LIMIT_BYTES - len(data)) // len(scan)) + b"\xff\xd9"


def progressive(side: int = 6_000, mode: str = "RGB") -> bytes:
    """A large progressive JPEG of full colour resolution: libjpeg must hold every coefficient of it."""
    return encoded(Image.new(mode, (side, side), 90), "JPEG", progressive=True, subsampling=0)


def animated(kind: str, **options: object) -> bytes:
    frames = [picture(), picture().transpose(Image.Transpose.ROTATE_180)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **options)


def palette_with_alpha() -> bytes:
    """Left half transparent, right half opaque blue."""
    image = Image.new("P", (32, 32), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (16, 0, 32, 32))
    return encoded(image, "PNG", transparency=bytes([0, 255]))


def grey_16_bit() -> bytes:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (48, 1))
    return encoded(Image.fromarray(ramp), "PNG")


def noise_jpeg(width: int, height: int) -> bytes:
    rng = np.random.default_rng(0)
    return encoded(Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)), "JPEG")


def interlaced(width: int = 7_300, height: int = 5_400) -> bytes:
    """Interlaced, all transparent black; a little more pixel data than it needs."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 1))
    body = chunk(b"IDAT", zlib.compress(bytes(width * height * 4 + 4 * height), 9))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b"")


PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' width='99999' height='99999'><script>1</script></svg>"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99999 99999\nshowpage\n%%EOF"
FITS_CARDS = ("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 999999", "NAXIS2  = 999999", "END")
FITS = b"".join(card.encode().ljust(80) for card in FITS_CARDS)


@cache
def zeros() -> bytes:
    """400 MB in 400 KB."""
    return zlib.compress(bytes(400 * 2**20), 9)


def flat(mode: str, side: int, kind: str, colour: object = 70, **options: object) -> bytes:
    return encoded(Image.new(mode, (side, side), colour), kind, **options)  # type: ignore[arg-type]


def with_marker(old: bytes, new: bytes) -> bytes:
    return encoded(picture(), "JPEG").replace(old, new)


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "zero bytes": ("empty", lambda: b""),
    "one byte": ("unsupported_format", lambda: b"\xff"),
    "text": ("unsupported_format", lambda: b"this is no photo"),
    "svg": ("unsupported_format", lambda: SVG),
    "pdf": ("unsupported_format", lambda: PDF),
    "eps": ("unsupported_format", lambda: EPS),
    "fits bomb": ("unsupported_format", lambda: FITS),
    "still gif": ("unsupported_format", lambda: encoded(picture(mode="P"), "GIF")),
    "animated gif": ("unsupported_format", lambda: animated("GIF")),
    "tiff": ("unsupported_format", lambda: encoded(picture(), "TIFF")),
    "bmp": ("unsupported_format", lambda: encoded(picture(), "BMP")),
    "ico": ("unsupported_format", lambda: encoded(picture(), "ICO")),
    "jpeg 2000": ("unsupported_format", lambda: encoded(picture(), "JPEG2000")),
    "heic brand": ("unsupported_format", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64)),
    "lossless jpeg": ("unsupported_format", lambda: with_marker(b"\xff\xc0", b"\xff\xc3")),
    "jpeg of 12 bits": (
        "unsupported_format",
        lambda: with_marker(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
    ),
    "animated webp": ("animated", lambda: animated("WEBP")),
    "animated png": ("animated", lambda: animated("PNG")),
    "animated avif": ("animated", lambda: animated("AVIF")),
    "one pixel png": ("too_small", lambda: png(1, 1)),
    "one pixel jpeg": ("too_small", lambda: encoded(picture(1, 1), "JPEG")),
    "thin line": ("too_small", lambda: png(4000, 3)),
    "no pixels": ("too_small", lambda: png(0, 100, pixels=b"\0")),
    "truncated jpeg": ("truncated", lambda: noise_jpeg(200, 200)[:9000]),
    "jpeg cut in its header": ("truncated", lambda: encoded(picture(), "JPEG")[:30]),
    "jpeg of markers only": ("truncated", lambda: b"\xff\xd8\xff" + b"\xff" * 100_000),
    "truncated png": ("truncated", lambda: png(400, 400)[:-40]),
    "png signature only": ("truncated", lambda: b"\x89PNG\r\n\x1a\n"),
    "png with a wrong checksum": ("truncated", lambda: png(64, 64)[:-20] + b"\0\0\0\0" + png(64, 64)[-16:]),
    "png of empty chunks": ("truncated", lambda: png(64, 64, chunk(b"tEXt", b"") * 900_000)),
    "truncated webp": ("truncated", lambda: encoded(picture(), "WEBP", lossless=True)[:-20]),
    "webp header only": ("truncated", lambda: b"RIFF\x20\0\0\0WEBPVP8L"),
    "truncated avif": ("truncated", lambda: encoded(picture(), "AVIF")[:-60]),
    "webp that lies about its size": ("truncated", lambda: webp_announcing(500, 500)),
    "file over the byte limit": ("too_large", lambda: encoded(picture(), "JPEG") + bytes(BOMB_LIMIT_BYTES)),
    "jpeg announcing 65535 x 65535": ("too_many_pixels", lambda: jpeg_announcing(65_535, 65_535)),
    "png announcing 2 billion pixels": ("too_many_pixels", lambda: png(50_000, 50_000, pixels=bytes(10_000))),
    "png of 2**31 columns": ("too_many_pixels", lambda: png(2**31 - 1, 2**31 - 1, pixels=bytes(100))),
    "webp announcing 16384 x 16384": ("too_many_pixels", lambda: webp_announcing(16_384, 16_384)),
    "scan bomb": ("unsupported_format", scan_bomb),
    "profile bomb": (GOOD, lambda: png(64, 64, chunk(b"iCCP", b"p\0\0" + zeros()))),
    "text bomb": (GOOD, lambda: png(64, 64, chunk(b"zTXt", b"t\0\0" + zeros()))),
    "exif directory bomb": (GOOD, exif_directory_bomb),
    "large progressive jpeg": (GOOD, progressive),
    "large cmyk progressive jpeg": ("too_many_pixels", lambda: progressive(mode="CMYK")),
    "as many scans as we read": (GOOD, lambda: scan_bomb(MAX_SCANS - 6)),
    "large grey progressive jpeg": (GOOD, lambda: progressive(mode="L")),
    "large flat png": (GOOD, lambda: flat("RGB", 6_300, "PNG")),
    "large transparent png": (GOOD, lambda: flat("RGBA", 6_300, "PNG", (9, 9, 9, 90))),
    "large palette png": (GOOD, lambda: flat("P", 6_300, "PNG", 3)),
    "large interlaced png": (GOOD, interlaced),
    "large webp": (GOOD, lambda: flat("RGB", 4_000, "WEBP", method=0)),
    "larger webp": ("too_many_pixels", lambda: flat("RGB", 6_000, "WEBP", method=0)),
    "large avif": (GOOD, lambda: flat("RGB", 4_000, "AVIF", speed=10)),
    "very wide jpeg": (GOOD, lambda: encoded(picture(40_000, 20), "JPEG")),
    "very tall png": (GOOD, lambda: encoded(picture(20, 40_000), "PNG")),
    "cmyk jpeg": (GOOD, lambda: encoded(picture(mode="CMYK"), "JPEG")),
    "grey jpeg": (GOOD, lambda: encoded(picture(mode="L"), "JPEG")),
    "one-bit png": (GOOD, lambda: encoded(picture(mode="1"), "PNG")),
    "16-bit png": (GOOD, grey_16_bit),
    "palette with alpha": (GOOD, palette_with_alpha),
    "grey with alpha": (GOOD, lambda: encoded(picture(mode="LA"), "PNG")),
    "transparent webp": (GOOD, lambda: encoded(picture(mode="RGBA"), "WEBP")),
    "avif": (GOOD, lambda: encoded(picture(), "AVIF")),
    "rotated jpeg": (GOOD, lambda: oriented(6)),
    "broken exif": (GOOD, lambda: jpeg_with(segment(0xE1, b"Exif\0\0MM\0*\xff\xff\xff\xff\xff\xff"))),
    "jpeg with a second picture": (GOOD, lambda: encoded(picture(), "JPEG") + encoded(picture(), "JPEG")),
}
MEASURED = [name for name in FILES if name.startswith(("large", "very", "as many")) or "bomb" in name]
"""Those that might cost much: their time and memory are measured in a process of their own."""


def files() -> Iterator[tuple[str, str, bytes]]:
    """Name, expected code (empty for a photo that decodes) and bytes of every file."""
    for name, (code, make) in FILES.items():
        yield name, code, make()
