"""Parse image headers of untrusted bytes without decoding pixels; strip metadata.

Metadata is where the bombs are (a directory of 65,535 entries that each claim the whole file, a compressed
colour profile, a hidden second picture), so the decoder never sees it. Only the orientation is read from it.

Sources: ITU-T T.81 annex B (JPEG); PNG third edition, sections 5 and 11; RFC 9649 (WebP); TIFF 6.0 section 2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..exceptions import ImageRejected

MAX_SEGMENTS = 20_000  # parts of one file; a 12 MB PNG written in 8 KB chunks has 1,500
MAX_SCANS = 32  # of a JPEG; encoders write at most about 15; a scan of 36 million pixels takes 20-40 ms
PIXEL_BYTES = 4  # Pillow keeps RGB in 4 bytes
FULL_SIZE_SCALES = (8, 4, 2)  # by which libjpeg can shrink while it decodes

_SIZES_OF_JPEG = {0xC0, 0xC1, 0xC2}  # baseline, extended, progressive; the others nobody's camera writes
_OTHER_JPEG = {0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says about itself.

    Args:
        format: Pillow's name.
        body: the file without metadata.
        size: width and height as stored, pixels; None when only the decoder can tell (AVIF).
        orientation: EXIF's 1-8; 1 when it says nothing or nonsense.
        animated: more than one frame.
        pixel_bytes: what decoding costs at most per stored pixel, beside the output.
        shrinks: the decoder can scale down while it decodes.
    """

    format: str
    body: bytes
    size: tuple[int, int] | None
    orientation: int = 1
    animated: bool = False
    pixel_bytes: float = PIXEL_BYTES
    shrinks: bool = False


def sniff(data: bytes) -> str:
    """Pillow's name of the format the first bytes show; empty for any we do not read."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        brands = data[8 : 8 + min(256, int.from_bytes(data[:4], "big"))]
        return "AVIF" if b"avif" in brands or b"avis" in brands else ""
    return ""


def read_header(data: bytes, kind: str) -> Header:
    """Read the header of a file of this kind, as ``sniff`` named it.

    Raises:
        ImageRejected: ``truncated`` (it ends or breaks before its size is known) or ``unsupported_format``.
    """
    try:
        return {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "AVIF": _avif}[kind](data)
    except (struct.error, IndexError) as error:
        raise ImageRejected("truncated", "photo_header_incomplete", kind=kind) from error


def _jpeg(data: bytes) -> Header:
    kept, at, orientation = [b"\xff\xd8"], 2, 1
    frame = b""
    for _ in range(MAX_SEGMENTS):
        if data[at] != 0xFF:
            raise _damaged("JPEG")
        marker = data[at + 1]
        if marker == 0xFF or marker in _BARE:  # padding, or a marker that stands alone
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9:
            raise _damaged("JPEG")
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at : at + 2 + length]
        if marker == 0xDA:
            kept.append(data[at:])
            return _jpeg_frame(b"".join(kept), frame, orientation, data.count(b"\xff\xda", at))
        if marker in _OTHER_JPEG:
            raise ImageRejected("unsupported_format", "jpeg_kind_unsupported")
        if marker in _SIZES_OF_JPEG:
            frame = segment
        if marker == 0xE1 and segment[4:10] == b"Exif\0\0":
            orientation = exif_orientation(segment[10:])
        elif marker == 0xEE or not (0xE0 <= marker <= 0xEF or marker == 0xFE):  # Adobe's: which colours
            kept.append(segment)
        at += 2 + length
    raise _damaged("JPEG")


def _jpeg_frame(body: bytes, frame: bytes, orientation: int, scans: int) -> Header:
    marker, precision, height, width, components = struct.unpack_from(">xBxxBHHB", frame)
    if precision != 8:
        raise ImageRejected("unsupported_format", "jpeg_depth_unsupported", precision=precision)
    if scans > MAX_SCANS:
        raise ImageRejected("unsupported_format", "jpeg_scans_over_limit", scans=scans, max_scans=MAX_SCANS)
    sampling = [frame[11 + 3 * n] for n in range(components)]
    blocks = [(s >> 4) * (s & 15) for s in sampling]
    largest = max((s >> 4 for s in sampling), default=1) * max((s & 15 for s in sampling), default=1)
    whole = marker == 0xC2 or scans > 1  # then libjpeg holds every coefficient, 2 bytes each
    cost = 2.0 * sum(blocks) / max(1, largest) if whole else 0.0
    return Header("JPEG", body, (width, height), orientation, pixel_bytes=cost, shrinks=True)


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    kept, at, orientation, frames = [data[:8]], 8, 1, 1
    for _ in range(MAX_SEGMENTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        elif kind == b"acTL":
            (frames,) = struct.unpack_from(">I", data, at + 8)
        elif kind == b"eXIf":
            orientation = exif_orientation(data[at + 8 : end - 4])
        if kind == b"IEND" or end >= len(data):
            return Header("PNG", b"".join(kept), (width, height), orientation, animated=frames > 1)
        at = end
    raise _damaged("PNG")


def _webp(data: bytes) -> Header:
    kind = data[12:16]
    animated, orientation = False, 1
    if kind == b"VP8X":
        animated = bool(data[20] & 0x02)
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        orientation = _webp_orientation(data) if data[20] & 0x08 else 1
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise _damaged("WEBP")
    # Pillow reads it through the animation decoder: two canvases and a copy beside the image
    return Header("WEBP", data, (width, height), orientation, animated, pixel_bytes=16)


def _webp_orientation(data: bytes) -> int:
    at = 12
    for _ in range(MAX_SEGMENTS):
        if at + 8 > len(data):
            break
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"EXIF":
            return exif_orientation(data[at + 8 : at + 8 + length])
        at += 8 + length + (length & 1)
    return 1


def _avif(data: bytes) -> Header:
    """AVIF keeps its orientation outside EXIF, and Pillow parses EXIF at once: rename that item away."""
    pixels = data.find(b"mdat")
    head = data if pixels < 0 else data[:pixels]
    body = head.replace(b"Exif", b"skip") + data[len(head) :]
    return Header("AVIF", body, None, animated=data[8:12] == b"avis", pixel_bytes=14)


def exif_orientation(exif: bytes) -> int:
    """EXIF's orientation, 1-8; 1 when it is absent or broken. Reads one directory and follows no pointer."""
    tiff = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 10:
        return 1
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    if start + 2 > len(tiff):
        return 1
    (entries,) = struct.unpack_from(order + "H", tiff, start)
    for at in range(start + 2, min(start + 2 + 12 * entries, len(tiff) - 11), 12):
        tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, at)
        if tag == 0x0112:
            return value if kind == 3 and 1 <= value <= 8 else 1
    return 1


def _damaged(kind: str) -> ImageRejected:
    return ImageRejected("truncated", "photo_file_incomplete", kind=kind)
