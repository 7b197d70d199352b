"""image -> named blocks: shape and texture from the maps, colour from images.colour."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from PIL.Image import Image

from ..images.colour import NamedColour, colour_blocks, dominant_colours, named_colours
from .base import Descriptors

FAMILIES = {"shape": ("c5", "c3"), "texture": ("t10", "t4"), "colour": ("colour", "figure", "layout")}
"""The blocks that make up an embedding, by family. ``thumb`` is kept beside them, to tell copies apart."""
BLOCKS = ("c5", "c3", "t10", "t4", "colour", "figure", "layout", "thumb")
PALETTE = "palette"  # told to shoppers in words; no part of an embedding, and not packed
THUMB_SIDE = 12  # grey thumbnail: tells recoloured copies of one photo from different photos
MAX_BYTES = 4096
FORMAT = 1
PREFIX = 3  # bytes: format, levels, number of blocks
HEAD = np.dtype([("length", "<u2"), ("signed", "?"), ("scale", "<f4")])  # of each block, after the prefix
LEVELS = (255, 127, 63, 31, 15)  # quantisation steps, coarser until the row fits


def describe_maps(maps: Mapping[str, np.ndarray], pixels: np.ndarray) -> Descriptors:
    """Turn a backbone's maps and the squares they were made from into blocks.

    Args:
        maps: ``base.FEATURE_MAPS`` by name, float32 (N, C, h, w).
        pixels: uint8 (N, S, S, 3), the letterboxed squares.

    Returns:
        blocks by name, float32 (N, d): ``c5``, ``c3`` (mean of the central five and three sevenths of the
        last map), ``t10``, ``t4`` (foreground-weighted mean and deviation of earlier maps), the colour
        blocks (``images.colour``), and ``thumb`` (144 grey values in [0, 1]); beside them ``PALETTE``, from
        which ``images.colour.named_colours`` tells the colours in words.
    """
    colours = colour_blocks(pixels)
    return {
        "c5": _central(maps["c5"], 5 / 7),
        "c3": _central(maps["c5"], 3 / 7),
        "t10": _texture(maps["t10"], colours.front),
        "t4": _texture(maps["t4"], colours.front),
        **colours.blocks,
        "thumb": _thumb(pixels),
        PALETTE: colours.palette,
    }


def colours_in_words(descriptors: Descriptors, row: int, image: Image) -> list[NamedColour]:
    """The subject's colours with their names; from the image where an encoder of the shop's own gave no palette."""
    if PALETTE in descriptors:
        return named_colours(descriptors[PALETTE][row])
    return dominant_colours(image)


def _central(maps: np.ndarray, share: float) -> np.ndarray:
    """Mean over the middle ``share`` of each side."""
    side = maps.shape[-1]
    keep = max(1, round(side * share))
    start = (side - keep) // 2
    return np.asarray(maps[:, :, start : start + keep, start : start + keep].mean((2, 3)), np.float32)


def _texture(maps: np.ndarray, front: np.ndarray) -> np.ndarray:
    """Foreground-weighted mean and deviation per channel, (N, 2 C)."""
    n, channels, height, width = maps.shape
    weight = _pool(front, height, width).reshape(n, 1, height * width)
    weight = weight / weight.sum(-1, keepdims=True)
    flat = maps.reshape(n, channels, height * width)
    mean = (flat * weight).sum(-1)
    spread = np.sqrt(np.maximum((flat**2 * weight).sum(-1) - mean**2, 0))
    return np.concatenate([mean, spread], axis=1).astype(np.float32)


def _pool(front: np.ndarray, height: int, width: int) -> np.ndarray:
    """Average the foreground weights to a map's grid, by area where the side is no multiple of it."""
    side = front.shape[1]
    if side % height == 0 and side % width == 0:
        cells = front.reshape(len(front), height, side // height, width, side // width)
        return np.asarray(cells.mean((2, 4)))
    return np.asarray(_area(side, height) @ front @ _area(side, width).T, np.float32)


@lru_cache(maxsize=8)
def _area(side: int, cells: int) -> np.ndarray:
    """What share of each cell's mean each pixel of a line has, float32 (cells, side); rows sum to 1."""
    edges = np.arange(cells + 1) * side / cells
    pixel = np.arange(side)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.asarray(np.maximum(overlap, 0) * cells / side, np.float32)


def _thumb(pixels: np.ndarray) -> np.ndarray:
    """Grey thumbnails, (N, 144) in [0, 1]."""
    n, side = pixels.shape[:2]
    edges = np.arange(THUMB_SIDE) * side // THUMB_SIDE
    grey = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255
    rows = np.add.reduceat(grey, edges, axis=1)
    sums = np.add.reduceat(rows, edges, axis=2)
    counts = np.diff(np.append(edges, side))
    return np.asarray(sums / np.outer(counts, counts), np.float32).reshape(n, THUMB_SIDE**2)


def pack(descriptors: Descriptors, row: int) -> bytes:
    """One image's blocks in at most ``MAX_BYTES``: 8 bits a value (fewer if it must), a scale a block, zlib.

    Blocks without negative values are companded by a square root, which spends the steps where values are
    dense. Read back with ``unpack``; cosines of blocks change by less than 0.002.
    """
    for levels in LEVELS:
        head = [struct.pack("<BBB", FORMAT, levels, len(BLOCKS))]
        body = []
        for name in BLOCKS:
            values = descriptors[name][row]
            low, high = float(values.min()), float(values.max())
            signed = low < 0
            scale = max(abs(low), abs(high)) or 1.0
            unit = values / scale
            steps = unit * (levels // 2) + levels // 2 if signed else np.sqrt(unit) * levels
            head.append(struct.pack("<H?f", len(values), signed, scale))
            body.append(np.rint(steps).astype(np.uint8).tobytes())
        data = b"".join(head) + zlib.compress(b"".join(body), 4)
        if len(data) <= MAX_BYTES:
            break
    return data


def unpack(packed: Sequence[bytes]) -> Descriptors:
    """Blocks of several images of one encoder, float32 (N, d), from what ``pack`` gave; none gives no blocks.

    Raises:
        ValueError: the bytes are of another format.
    """
    if not packed:
        return {}
    heads = np.stack([_head(data) for data in packed])
    body = PREFIX + HEAD.itemsize * len(BLOCKS)
    values = np.stack([np.frombuffer(zlib.decompress(data[body:]), np.uint8) for data in packed])
    levels = np.array([[data[1]] for data in packed], np.float32)
    half = np.float32(levels // 2)
    ends = np.cumsum(heads["length"][0])
    out = {}
    for name, head, end in zip(BLOCKS, heads.T, ends.tolist(), strict=True):
        steps = values[:, end - int(head["length"][0]) : end].astype(np.float32)
        signed = head["signed"]
        linear = (steps[signed] - half[signed]) / half[signed] if signed.any() else steps[:0]
        steps /= levels  # in place: fresh memory for each step takes longer than its arithmetic
        steps *= steps
        if len(linear):
            steps[signed] = linear
        steps *= head["scale"][:, None]
        out[name] = steps
    return out


def _head(data: bytes) -> np.ndarray:
    """Length, sign and scale of each block of one packed image."""
    version, _, count = struct.unpack_from("<BBB", data)
    if version != FORMAT or count != len(BLOCKS):
        raise ValueError(f"packed descriptor of format {version}; this version reads format {FORMAT}")
    return np.frombuffer(data, HEAD, count, PREFIX)
