"""Blocks of a convolutional encoder from its feature maps and pixels; descriptors to bytes and back."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import zstandard
from PIL.Image import Image

from ..images.colour import BLOCK_DIMS, NamedColour, colour_blocks, dominant_colours, named_colours
from .base import PALETTE, BlockSpec, Descriptors

THUMB_SIDE = 12  # grey thumbnail: tells recoloured copies of one photo from different photos
GRID_SIDE = 3  # cells; on user photos of clothes 5 were no better, rows alone 0.7 points less accurate
GRID_CHANNELS = 128  # of a wider network's map so many random mixtures are kept, for the size of a row
GRID_LEVELS = 31  # quantisation steps: heads lose nothing by them
MAX_BYTES = 4096  # of a row without the names of its blocks
FORMAT = 4  # names its blocks; 3 was of fixed blocks
ZSTD_LEVEL = 1  # smaller and six times as fast as zlib's fourth; higher ones save 1 %
BLOCK_HEAD = np.dtype([("length", "<u2"), ("levels", "u1"), ("signed", "?"), ("scale", "<f4")])
HEAD_BYTES = struct.calcsize("<BHB")
NAMES_HEAD = 2  # bytes of the length of the names
LEVELS = (255, 127, 63, 31, 15)  # quantisation steps, coarser until the row fits


PIXEL_BLOCKS = (
    *(BlockSpec(name, dim, "colour") for name, dim in BLOCK_DIMS.items()),
    BlockSpec("thumb", THUMB_SIDE**2, "", "correlation"),
)
"""What pixels give without a network: the colour blocks, and a grey thumbnail that tells copies of a photo apart."""


def map_specs(channels: Sequence[int]) -> tuple[BlockSpec, ...]:
    """Specs of the blocks that ``describe_maps`` gives.

    ``grid`` tells classifiers where on the photo which texture is (a collar above, a hem below); like ``thumb`` it
    is no part of an embedding.

    Args:
        channels: of the maps ``c5``, ``t10``, ``t4``.
    """
    last, middle, early = channels
    return (
        BlockSpec("c5", last, "shape"),
        BlockSpec("c3", last, "shape"),
        BlockSpec("t10", 2 * middle, "texture"),
        BlockSpec("t4", 2 * early, "texture"),
        *PIXEL_BLOCKS,
        BlockSpec("grid", GRID_SIDE**2 * min(middle, GRID_CHANNELS), ""),
    )


def describe_maps(maps: Mapping[str, np.ndarray], pixels: np.ndarray) -> Descriptors:
    """Turn a backbone's maps and the squares they were made from into blocks.

    Args:
        maps: ``base.FEATURE_MAPS`` by name, float32 (N, C, h, w).
        pixels: uint8 (N, S, S, 3), the letterboxed squares.

    Returns:
        blocks by name, float32 (N, d): ``c5``, ``c3`` (mean of the central five and three sevenths of the
        last map), ``t10``, ``t4`` (foreground-weighted mean and deviation of earlier maps), the colour
        blocks (``images.colour``), ``thumb`` (144 grey values in [0, 1]) and ``grid`` (mean of ``t10`` in 3x3
        cells); beside them ``PALETTE``, from which ``images.colour.named_colours`` tells the colours in words.
    """
    colours = colour_blocks(pixels)
    return {
        "c5": _central(maps["c5"], 5 / 7),
        "c3": _central(maps["c5"], 3 / 7),
        "t10": _texture(maps["t10"], colours.front),
        "t4": _texture(maps["t4"], colours.front),
        **colours.blocks,
        "thumb": _thumb(pixels),
        "grid": _grid(maps["t10"]),
        PALETTE: colours.palette,
    }


def describe_pixels(pixels: np.ndarray) -> Descriptors:
    """``PIXEL_BLOCKS`` and the palette of squares, uint8 (N, S, S, 3), S of 112 or more."""
    colours = colour_blocks(pixels)
    return {**colours.blocks, "thumb": _thumb(pixels), PALETTE: colours.palette}


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


def _grid(maps: np.ndarray) -> np.ndarray:
    """Mean of each channel in each cell, cell by cell in rows, (N, 9 C); C is at most ``GRID_CHANNELS``."""
    n, channels, height, width = maps.shape
    down, across = area(height, GRID_SIDE), area(width, GRID_SIDE)
    cells = (down @ maps @ across.T).transpose(0, 2, 3, 1)
    if channels > GRID_CHANNELS:
        cells = cells @ _mixture(channels)
    return np.asarray(cells.reshape(n, GRID_SIDE**2 * cells.shape[-1]), np.float32)


def grid_weights(weights: np.ndarray, channels: int, height: int, width: int) -> np.ndarray:
    """How ``grid . weights`` comes from the map it was made of: the weight of each of its values.

    Args:
        weights: of the block's values, (d,).
        channels, height, width: of the map.

    Returns:
        float (C, h, w).
    """
    cells = weights.reshape(GRID_SIDE, GRID_SIDE, -1)
    if channels > GRID_CHANNELS:
        cells = cells @ _mixture(channels).T
    down, across = area(height, GRID_SIDE), area(width, GRID_SIDE)
    return np.asarray(down.T @ cells.transpose(2, 0, 1) @ across)


@lru_cache(maxsize=4)
def _mixture(channels: int) -> np.ndarray:
    """A seeded random projection that keeps cosines to about 0.1, float32 (channels, GRID_CHANNELS)."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (channels, GRID_CHANNELS))
    return np.asarray(signs / np.sqrt(GRID_CHANNELS), np.float32)


def _pool(front: np.ndarray, height: int, width: int) -> np.ndarray:
    """Average the foreground weights to a map's grid, by area where the side is no multiple of it."""
    side = front.shape[1]
    if side % height == 0 and side % width == 0:
        cells = front.reshape(len(front), height, side // height, width, side // width)
        return np.asarray(cells.mean((2, 4)))
    return np.asarray(area(side, height) @ front @ area(side, width).T, np.float32)


@lru_cache(maxsize=8)
def area(side: int, cells: int) -> np.ndarray:
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
    """One image's blocks in at most ``MAX_BYTES``: 8 bits a value (fewer if it must), a scale a block, zstd.

    Blocks without negative values are companded by a square root, which spends the steps where values are
    dense. Read back with ``unpack``; cosines of blocks change by less than 0.002 (``grid``: 0.02).

    Layout: format, length of the names, their number, the names joined by commas; per block its length (uint16),
    levels (uint8), signed (bool) and scale (float32); then the steps, compressed.
    """
    names = [name for name in descriptors if name != PALETTE]
    joined = ",".join(names).encode()
    for most in LEVELS:
        head = [struct.pack("<BHB", FORMAT, len(joined), len(names)), joined]
        body = []
        for name in names:
            values = descriptors[name][row]
            levels = min(most, GRID_LEVELS) if name == "grid" else most
            low, high = float(values.min()), float(values.max())
            signed = low < 0
            scale = max(abs(low), abs(high)) or 1.0
            unit = values / scale
            steps = unit * (levels // 2) + levels // 2 if signed else np.sqrt(unit) * levels
            head.append(struct.pack("<HB?f", len(values), levels, signed, scale))
            body.append(np.rint(steps).astype(np.uint8).tobytes())
        data = b"".join(head) + zstandard.compress(b"".join(body), ZSTD_LEVEL)
        if len(data) - len(joined) - NAMES_HEAD <= MAX_BYTES:
            break
    return data


def unpack(packed: Sequence[bytes]) -> Descriptors:
    """Blocks of several images of one encoder, float32 (N, d), from what ``pack`` gave; nothing gives no blocks.

    Raises:
        ValueError: the bytes are of another format, or of encoders with other blocks.
    """
    if not packed:
        return {}
    for data in packed:
        if data[0] != FORMAT:
            raise ValueError(f"packed descriptor of format {data[0]}; this version reads format {FORMAT}")
    _, length, count = struct.unpack_from("<BHB", packed[0])
    first = HEAD_BYTES + length
    joined = packed[0][HEAD_BYTES:first]
    if any(data[1:first] != packed[0][1:first] for data in packed):
        raise ValueError("these descriptors are of encoders with other blocks")
    start = first + count * BLOCK_HEAD.itemsize
    heads = np.frombuffer(b"".join(data[first:start] for data in packed), BLOCK_HEAD).reshape(-1, count)
    lengths = heads["length"][0].astype(int)
    if (heads["length"] != lengths).any():
        raise ValueError("these descriptors are of encoders with other blocks")
    values = _bodies(packed, start, int(lengths.sum()))
    edges = np.concatenate([[0], np.cumsum(lengths)])
    return {
        name: _unpack_block(values[:, edges[place] : edges[place + 1]], heads[:, place])
        for place, name in enumerate(joined.decode().split(","))
    }


def _bodies(packed: Sequence[bytes], start: int, length: int) -> np.ndarray:
    """The steps of every value, uint8 (N, length).

    One call for all: a call a row gives the interpreter lock away each time, and beside a busy thread waits up
    to 5 ms to have it back.
    """
    values = np.empty((len(packed), length), np.uint8)
    frames: Any = [data[start:] for data in packed]
    try:
        found = zstandard.ZstdDecompressor().multi_decompress_to_buffer(frames, threads=1)
        for row in range(len(packed)):
            values[row] = np.frombuffer(found[row].tobytes(), np.uint8)
    except (zstandard.ZstdError, ValueError) as error:
        raise ValueError(f"packed descriptor is damaged: {error}") from error
    return values


def _unpack_block(steps: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Steps (N, d) -> values, by each row's levels, sign and scale."""
    levels, scale = head["levels"].astype(np.float32)[:, None], head["scale"][:, None]
    values = steps.astype(np.float32)
    signed = head["signed"]
    if not signed.any():
        values *= values
        values *= scale / levels**2
        return values
    half = levels // 2
    values[signed] = (values[signed] - half[signed]) * (scale / half)[signed]
    plain = ~signed
    values[plain] = values[plain] ** 2 * (scale / levels**2)[plain]
    return values
