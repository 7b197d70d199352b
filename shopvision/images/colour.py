"""Colour histogram blocks; foreground weights; dominant colours with names."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from .preprocess import fit_square

BITS = 5  # per channel of the look-up tables: 32,768 colours, finer than any histogram bin
WORK_SIDE = 112  # pixels: histograms are taken on a 2x2 average of the 224 px square
BORDER = 4  # pixels of the work image that are taken for background
BACKGROUND_COLOURS = 3
BACKGROUND_SCALE = 14.0  # Lab units: a pixel this far from every border colour is 63 % foreground
FINE = (5, 9, 9)  # bins over L, a, b
COARSE = (4, 7, 7)
LEVELS = (1, 2, 3)  # the pyramid's grids
AB_RANGE = 90.0  # a and b are clipped to +-this; sRGB reaches about 108, photos rarely 80

NAMES: dict[str, tuple[int, int, int]] = {
    "black": (20, 20, 22), "charcoal": (62, 64, 68), "grey": (128, 128, 128), "silver": (190, 192, 195),
    "white": (250, 250, 250), "cream": (245, 236, 208), "beige": (214, 190, 150), "brown": (110, 70, 40),
    "tan": (190, 140, 90), "red": (205, 30, 40), "burgundy": (110, 20, 40), "coral": (245, 120, 95),
    "orange": (240, 130, 30), "mustard": (205, 160, 40), "yellow": (248, 215, 50), "lime": (165, 205, 50),
    "green": (50, 140, 60), "olive": (105, 110, 50), "mint": (165, 220, 190), "teal": (20, 125, 125),
    "turquoise": (60, 190, 195), "sky blue": (130, 185, 230), "blue": (40, 90, 200), "navy": (25, 35, 85),
    "purple": (115, 55, 150), "lavender": (185, 165, 220), "pink": (240, 150, 185), "magenta": (205, 40, 130),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NamedColour:
    """A dominant colour: a shopper's word for it, its sRGB value and its share (0-1) of the foreground."""

    name: str
    rgb: tuple[int, int, int]
    share: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def rgb_to_lab(rgb: np.ndarray) -> np.ndarray:
    """SRGB 0-255 (..., 3) -> CIE L*a*b* float32 (..., 3), D65.

    Source: IEC 61966-2-1 (sRGB) and CIE 15:2004.
    """
    c = np.asarray(rgb, np.float64) / 255.0
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = linear @ matrix.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    lab = np.stack(
        [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1
    )
    return lab.astype(np.float32)


@lru_cache(maxsize=1)
def _lab_table() -> np.ndarray:
    """Lab of every quantised colour, float32 (32768, 3); the middle of each cell."""
    step = 256 >> BITS
    level = np.arange(1 << BITS) * step + step / 2 - 0.5
    grid = np.stack(np.meshgrid(level, level, level, indexing="ij"), axis=-1)
    return rgb_to_lab(grid.reshape(-1, 3))


@lru_cache(maxsize=2)
def _bins(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """For every quantised colour its 8 nearest bins, int32 (32768, 8), and their trilinear weights."""
    lab = _lab_table()
    unit = np.stack([lab[:, 0] / 100, (lab[:, 1] / AB_RANGE + 1) / 2, (lab[:, 2] / AB_RANGE + 1) / 2], axis=1)
    position = np.clip(unit, 0, 1) * (np.array(shape) - 1)
    low = np.minimum(position.astype(int), np.array(shape) - 2)
    part = position - low
    index, weight = [], []
    for corner in np.ndindex(2, 2, 2):
        cell = low + corner
        index.append((cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2])
        weight.append(np.prod(np.where(np.array(corner), part, 1 - part), axis=1))
    return np.stack(index, 1).astype(np.int32), np.stack(weight, 1).astype(np.float32)


def _shrink(pixels: np.ndarray) -> np.ndarray:
    """uint8 (N, S, S, 3) -> uint8 (N, 112, 112, 3) by averaging; other sizes are resized first."""
    side = pixels.shape[1]
    if side % WORK_SIDE:
        square = [Image.fromarray(p).resize((WORK_SIDE, WORK_SIDE), Image.Resampling.BOX) for p in pixels]
        return (
            np.stack([np.asarray(s) for s in square])
            if square
            else np.empty((0, WORK_SIDE, WORK_SIDE, 3), np.uint8)
        )
    f = side // WORK_SIDE
    if f == 1:
        return pixels
    blocks = pixels.reshape(len(pixels), WORK_SIDE, f, WORK_SIDE, f, 3)
    total = sum(blocks[:, :, i, :, j].astype(np.uint16) for i in range(f) for j in range(f))
    return np.asarray(total // (f * f), np.uint8)


def _codes(small: np.ndarray) -> np.ndarray:
    """Quantised colour of each pixel, int32 (..., )."""
    cut = (small >> (8 - BITS)).astype(np.int32)
    return (cut[..., 0] << (2 * BITS)) | (cut[..., 1] << BITS) | cut[..., 2]


def _background(lab: np.ndarray) -> np.ndarray:
    """Three colours of one image's border, (3, 3), by k-means from fixed starts."""
    edge = np.concatenate(
        [
            lab[:BORDER].reshape(-1, 3),
            lab[-BORDER:].reshape(-1, 3),
            lab[BORDER:-BORDER, :BORDER].reshape(-1, 3),
            lab[BORDER:-BORDER, -BORDER:].reshape(-1, 3),
        ]
    )[::2]
    order = np.argsort(edge[:, 0], kind="stable")
    centres = edge[order[[len(order) // 6, len(order) // 2, len(order) * 5 // 6]]]
    for _ in range(5):
        nearest = _distances(edge, centres).argmin(1)
        for k in range(BACKGROUND_COLOURS):
            if (nearest == k).any():
                centres[k] = edge[nearest == k].mean(0)
    return centres


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distances (P, K), never negative."""
    cross = points @ centres.T
    squares = (points**2).sum(-1)[:, None] - 2 * cross + (centres**2).sum(-1)
    return np.asarray(np.maximum(squares, 0))


def foreground(pixels: np.ndarray) -> np.ndarray:
    """How much each pixel differs from the border's colours: float32 (N, 112, 112) in [0, 1].

    ``1 - exp(-(d / 14)^2)`` with d the Lab distance to the nearest of three border colours. Where nearly
    nothing stands out, everything counts a little, so that no weight is all zero.
    """
    small = _shrink(pixels)
    table = _lab_table()
    out = np.empty(small.shape[:3], np.float32)
    for row, codes in enumerate(_codes(small)):
        used = np.flatnonzero(np.bincount(codes.ravel()) > 0)  # a third of the time of np.unique
        centres = _background(table[codes])
        weight = np.zeros(1 << (3 * BITS), np.float32)
        weight[used] = 1 - np.exp(-_distances(table[used], centres).min(1) / BACKGROUND_SCALE**2)
        out[row] = weight[codes] + 1e-3
    return out


@lru_cache(maxsize=1)
def _centre() -> np.ndarray:
    """Gaussian weight of the middle, (112, 112), deviation a quarter of the side."""
    axis = (np.arange(WORK_SIDE) - (WORK_SIDE - 1) / 2) / (WORK_SIDE / 4)
    line = np.exp(-(axis**2) / 2)
    return np.outer(line, line).astype(np.float32)


@lru_cache(maxsize=1)
def _cells() -> np.ndarray:
    """Cell of each pixel in each grid of the pyramid, int32 (levels, 112 * 112), numbered through."""
    axis = np.arange(WORK_SIDE)
    rows, first = [], 0
    for n in LEVELS:
        band = axis * n // WORK_SIDE
        rows.append((band[:, None] * n + band[None, :]).ravel() + first)
        first += n * n
    return np.stack(rows).astype(np.int32)


def _histogram(codes: np.ndarray, weight: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Weighted soft histogram of one image, square-rooted, unit L2 norm."""
    index, part = _bins(shape)
    mass = np.bincount(codes, weight, minlength=0)
    used = np.flatnonzero(mass > 0)  # of booleans: several times faster than of numbers
    size = int(np.prod(shape))
    h = np.bincount(index[used].ravel(), (part[used] * mass[used, None]).ravel(), minlength=size)
    return np.asarray(np.sqrt(h / h.sum()), np.float32)


def _pyramid(codes: np.ndarray) -> np.ndarray:
    """Histograms of every cell of every grid, (14 * 196,), each cell weighted by one over its grid's cells."""
    index, part = _bins(COARSE)
    size = int(np.prod(COARSE))
    cells = _cells()
    count = int(cells[-1, -1]) + 1
    key = cells * (1 << (3 * BITS)) + codes
    masses = np.bincount(key.ravel())
    used = np.flatnonzero(masses > 0)
    mass = masses[used]
    code, cell = used & ((1 << (3 * BITS)) - 1), used >> (3 * BITS)
    place = cell[:, None] * size + index[code]
    h = np.bincount(place.ravel(), (part[code] * mass[:, None]).ravel(), minlength=count * size)
    return np.asarray(np.sqrt(h / h.sum()), np.float32)


def colour_blocks(pixels: np.ndarray, weights: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Soft Lab histograms, square-rooted (so a dot product is a Bhattacharyya coefficient), unit L2 norm.

    Args:
        pixels: uint8 (N, S, S, 3).
        weights: what ``foreground`` gave for them, if it is at hand.

    Returns:
        ``colour`` (N, 405) centre-weighted; ``figure`` (N, 405) foreground-weighted; ``layout`` (N, 2744)
        a pyramid of 1x1, 2x2 and 3x3 cells.
    """
    front = foreground(pixels) if weights is None else weights
    codes = _codes(_shrink(pixels)).reshape(len(pixels), WORK_SIDE**2)
    centre = _centre().ravel()
    fine, coarse = int(np.prod(FINE)), int(np.prod(COARSE)) * sum(n * n for n in LEVELS)
    out = {
        "colour": np.empty((len(pixels), fine), np.float32),
        "figure": np.empty((len(pixels), fine), np.float32),
        "layout": np.empty((len(pixels), coarse), np.float32),
    }
    for row, code in enumerate(codes):
        out["colour"][row] = _histogram(code, centre, FINE)
        out["figure"][row] = _histogram(code, front[row].ravel() * centre, FINE)
        out["layout"][row] = _pyramid(code)
    return out


@lru_cache(maxsize=1)
def _palette() -> tuple[list[str], np.ndarray]:
    return list(NAMES), rgb_to_lab(np.array(list(NAMES.values())))


def colour_name(rgb: tuple[int, int, int]) -> str:
    """The nearest of ``NAMES`` in Lab."""
    names, lab = _palette()
    return names[int(_distances(rgb_to_lab(np.array([rgb])), lab).argmin())]


@lru_cache(maxsize=1)
def _nearest_name() -> np.ndarray:
    """Number of the nearest name of every quantised colour, int64 (32768,)."""
    return np.asarray(_distances(_lab_table(), _palette()[1]).argmin(1))


def _inside(width: int, height: int) -> np.ndarray:
    """1 where a letterboxed image lies in the work square and 0 on the white beside it, (112, 112)."""
    scale = WORK_SIDE / max(width, height)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (WORK_SIDE - inner_w) // 2, (WORK_SIDE - inner_h) // 2
    out = np.zeros((WORK_SIDE, WORK_SIDE), np.float32)
    out[top : top + inner_h, left : left + inner_w] = 1
    return out


def dominant_colours(image: Image.Image, limit: int = 4) -> list[NamedColour]:
    """The commonest named colours of the foreground, largest share first; shares below 8 % are left out."""
    pixels = np.asarray(fit_square(image, WORK_SIDE))
    area = (_centre() * _inside(*image.size)).ravel()
    weight = foreground(pixels[None])[0].ravel() * area
    if weight.max() < 0.05:  # nothing stands out: the whole image is the subject
        weight = area
    names, _ = _palette()
    label = _nearest_name()[_codes(pixels).ravel()]
    mass = np.bincount(label, weight, minlength=len(names))
    shares = mass / mass.sum()
    flat = pixels.reshape(-1, 3)
    sums = [np.bincount(label, weight * flat[:, channel], minlength=len(names)) for channel in range(3)]
    found = []
    for k in np.argsort(-shares)[:limit]:
        if shares[k] >= 0.08:
            red, green, blue = (round(float(channel[k] / mass[k])) for channel in sums)
            found.append(NamedColour(names[k], (red, green, blue), round(float(shares[k]), 3)))
    return found
