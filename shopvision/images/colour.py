"""Colour histogram blocks, foreground weights and named dominant colours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from .preprocess import fit_square

BITS = 5  # per channel of the look-up tables: 32,768 colours, finer than any histogram bin
WORK_SIDE = (
    112  # pixels: 2x2 averages of the 224 px square; 56 is 0.5 ms faster and loses up to a point of R@1
)
BORDER = 4  # pixels of the work image that are taken for background
BACKGROUND_COLOURS = 3
FLAT = 0.05  # foreground weight below which nothing stands out, and the whole image is the subject
SMALLEST_SHARE = 0.08  # of the foreground, for a colour to be named
BACKGROUND_SCALE = 14.0  # Lab units: a pixel this far from every border colour is 63 % foreground
FINE = (5, 9, 9)  # bins over L, a, b
COARSE = (4, 7, 7)
LEVELS = (1, 2, 3)  # the pyramid's grids
BINS, COARSE_BINS = FINE[0] * FINE[1] * FINE[2], COARSE[0] * COARSE[1] * COARSE[2]
BLOCK_DIMS = {"colour": BINS, "figure": BINS, "layout": COARSE_BINS * sum(grid * grid for grid in LEVELS)}
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


@dataclass(frozen=True, slots=True)
class _Coded:
    """One square, as its quantised colours: what every measure below is taken from.

    Args:
        used: codes that occur, int64 (U,), rising.
        pixel: for each pixel of the work image the place of its code in ``used``, int64 (112 * 112,).
        front: foreground weight of each pixel, float64 (112 * 112,) in [0.001, 1.001].
        flat: nothing stands out from the border.
    """

    used: np.ndarray
    pixel: np.ndarray
    front: np.ndarray
    flat: bool

    def mass(self, weight: np.ndarray) -> np.ndarray:
        """The weight of all pixels of each colour, float64 (U,)."""
        return np.bincount(self.pixel, weight, len(self.used))


def _shrink(square: np.ndarray) -> np.ndarray:
    """uint8 (S, S, 3) -> uint8 (112, 112, 3) by averaging."""
    side = len(square)
    if side == WORK_SIDE:
        return square
    image = Image.fromarray(square)
    if side % WORK_SIDE:
        return np.asarray(image.resize((WORK_SIDE, WORK_SIDE), Image.Resampling.BOX))
    return np.asarray(image.reduce(side // WORK_SIDE))


def _code(square: np.ndarray) -> _Coded:
    """Quantise one square, uint8 (S, S, 3), and weigh its pixels."""
    small = _shrink(square)
    top = small >> (8 - BITS)
    codes = (top[..., 0].astype(np.intp) << (2 * BITS)) | (top[..., 1].astype(np.intp) << BITS) | top[..., 2]
    codes = codes.ravel()
    table = _lab_table()
    used = np.flatnonzero(np.bincount(codes) > 0)  # a third of the time of np.unique
    place = np.empty(1 << (3 * BITS), np.intp)
    place[used] = np.arange(len(used))
    centres = _background(table, codes[_border()])
    weight = 1 - np.exp(-_distances(table[used], centres).min(1) / BACKGROUND_SCALE**2)
    pixel = place[codes]
    front = weight.astype(np.float64)[pixel]
    return _Coded(used, pixel, front + 1e-3, bool(weight.max() < FLAT))


@lru_cache(maxsize=1)
def _border() -> np.ndarray:
    """Every second pixel of the work image's rim, flat positions."""
    rim = np.ones((WORK_SIDE, WORK_SIDE), bool)
    rim[BORDER:-BORDER, BORDER:-BORDER] = False
    return np.flatnonzero(rim)[::2]


def _background(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Three colours of one image's border, (3, 3), by k-means from fixed starts."""
    counts = np.bincount(codes)
    used = np.flatnonzero(counts > 0)
    used = used[np.argsort(table[used, 0], kind="stable")]
    many = counts[used].astype(np.float32)
    edge = table[used]
    ranks = np.searchsorted(np.cumsum(many), len(codes) * np.array([1, 3, 5]) / 6)
    centres = edge[ranks]
    weighted = np.concatenate([edge, np.ones_like(edge[:, :1])], axis=1) * many[:, None]
    for _ in range(5):
        nearest = (2 * edge @ centres.T - (centres**2).sum(1)).argmax(1)
        chosen = (nearest == np.arange(BACKGROUND_COLOURS)[:, None]).astype(np.float32)
        sums = chosen @ weighted
        there = sums[:, 3] > 0
        centres[there] = sums[there, :3] / sums[there, 3:]
    return centres


def _distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Squared distances (P, K), never negative."""
    cross = points @ centres.T
    squares = (points**2).sum(-1)[:, None] - 2 * cross + (centres**2).sum(-1)
    return np.asarray(np.maximum(squares, 0))


@lru_cache(maxsize=1)
def _centre() -> np.ndarray:
    """Gaussian weight of the middle, float64 (112 * 112,), deviation a quarter of the side."""
    axis = (np.arange(WORK_SIDE) - (WORK_SIDE - 1) / 2) / (WORK_SIDE / 4)
    line = np.exp(-(axis**2) / 2)
    return np.outer(line, line).ravel()


@lru_cache(maxsize=1)
def _atoms() -> tuple[np.ndarray, np.ndarray]:
    """The finest cells that make up every grid of the pyramid: 16, cut at each grid's lines.

    Returns:
        the cell of each pixel, int64 (112 * 112,); and which of them each cell of each grid is the union of,
        float64 (14, 16).
    """
    axis = np.arange(WORK_SIDE)
    bands = [axis * n // WORK_SIDE for n in LEVELS]
    cuts = np.concatenate([[0], np.cumsum(np.any([np.diff(band) > 0 for band in bands], axis=0))])
    lines = int(cuts[-1]) + 1
    first = [int(np.flatnonzero(cuts == line)[0]) for line in range(lines)]
    union = []
    for n, band in zip(LEVELS, bands, strict=True):
        part = np.equal(band[first], np.arange(n)[:, None])
        union.append(np.kron(part, part))
    return (cuts[:, None] * lines + cuts[None, :]).ravel(), np.concatenate(union).astype(float)


def _histogram(used: np.ndarray, mass: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Weighted soft histogram of one image, square-rooted, unit L2 norm."""
    index, part = _bins(shape)
    h = np.bincount(index[used].ravel(), (part[used] * mass[:, None]).ravel(), int(np.prod(shape)))
    return np.asarray(np.sqrt(h / h.sum()), np.float32)


def _pyramid(coded: _Coded) -> np.ndarray:
    """Histograms of every cell of every grid, (14 * 196,): each grid has the same share."""
    index, part = _bins(COARSE)
    size, colours = int(np.prod(COARSE)), len(coded.used)
    cells, union = _atoms()
    masses = np.bincount(cells * colours + coded.pixel, minlength=union.shape[1] * colours)
    there = np.flatnonzero(masses > 0)
    cell, code = there // colours, coded.used[there % colours]
    place = index[code] + (cell * size)[:, None]
    fine = np.bincount(
        place.ravel(), (part[code] * masses[there, None]).ravel(), union.shape[1] * size
    ).reshape(-1, size)
    h = (union @ fine).ravel()
    return np.asarray(np.sqrt(h / h.sum()), np.float32)


@dataclass(frozen=True, slots=True)
class ColourBlocks:
    """What the colours of some squares say.

    Args:
        blocks: soft Lab histograms, square-rooted (so a dot product is a Bhattacharyya coefficient), unit L2
            norm: ``colour`` (N, 405) centre-weighted; ``figure`` (N, 405) foreground-weighted; ``layout``
            (N, 2744) a pyramid of 1x1, 2x2 and 3x3 cells.
        front: how much each pixel differs from the border's colours, float32 (N, 112, 112):
            ``1 - exp(-(d / 14)^2)`` with d the Lab distance to the nearest of three border colours, and a
            little everywhere, so that no weight is all zero.
        palette: share and mean RGB of every colour of ``NAMES`` in the foreground, float32 (N, 4 * 28); read
            with ``named_colours``.
    """

    blocks: dict[str, np.ndarray]
    front: np.ndarray
    palette: np.ndarray


def colour_blocks(pixels: np.ndarray) -> ColourBlocks:
    """Measure the colours of squares, uint8 (N, S, S, 3); about 1 ms each."""
    n = len(pixels)
    out = {name: np.empty((n, size), np.float32) for name, size in BLOCK_DIMS.items()}
    front = np.empty((n, WORK_SIDE, WORK_SIDE), np.float32)
    palette = np.empty((n, 4 * len(NAMES)), np.float32)
    centre = _centre()
    for row, square in enumerate(pixels):
        coded = _code(square)
        figure = coded.mass(coded.front * centre)
        out["colour"][row] = _histogram(coded.used, coded.mass(centre), FINE)
        out["figure"][row] = _histogram(coded.used, figure, FINE)
        out["layout"][row] = _pyramid(coded)
        front[row] = coded.front.reshape(WORK_SIDE, WORK_SIDE)
        subject = coded.mass(centre * _inside(square)) if coded.flat else figure
        palette[row] = _shares(coded.used, subject)
    return ColourBlocks(out, front, palette)


def foreground(pixels: np.ndarray) -> np.ndarray:
    """Only ``ColourBlocks.front`` of squares, float32 (N, 112, 112)."""
    fronts = [_code(square).front.reshape(WORK_SIDE, WORK_SIDE) for square in pixels]
    return np.stack(fronts).astype(np.float32) if fronts else np.empty((0, WORK_SIDE, WORK_SIDE), np.float32)


@lru_cache(maxsize=1)
def _palette() -> tuple[list[str], np.ndarray]:
    return list(NAMES), rgb_to_lab(np.array(list(NAMES.values())))


@lru_cache(maxsize=1)
def _nearest_name() -> np.ndarray:
    """Number of the nearest name of every quantised colour, int64 (32768,)."""
    return np.asarray(_distances(_lab_table(), _palette()[1]).argmin(1))


def _inside(square: np.ndarray) -> np.ndarray:
    """0 on white bars of equal width on two opposite sides, as letterboxing leaves them, 1 elsewhere; flat."""
    blank = (_shrink(square) == 255).all(-1)
    out = np.ones((WORK_SIDE, WORK_SIDE))
    for lines, view in ((blank.all(1), out), (blank.all(0), out.T)):
        bar = min(int(np.argmin(lines)), int(np.argmin(lines[::-1])))
        if not lines.all():
            view[:bar] = view[WORK_SIDE - bar :] = 0
    return out.ravel()


def _shares(used: np.ndarray, mass: np.ndarray) -> np.ndarray:
    """Share and mean RGB of every named colour, (4 * 28,), name by name."""
    label = _nearest_name()[used]
    step = 256 >> BITS
    channels = ((used >> shift) & ((1 << BITS) - 1) for shift in (2 * BITS, BITS, 0))
    by_name = np.bincount(label, mass, len(NAMES))
    sums = [np.bincount(label, mass * (c * step + (step - 1) / 2), len(NAMES)) for c in channels]
    means = np.array(sums) / np.maximum(by_name, 1e-12)
    return np.vstack([by_name / by_name.sum(), means]).T.ravel()


def named_colours(palette: np.ndarray, limit: int = 4) -> list[NamedColour]:
    """The commonest named colours of one row of a palette, largest share first; those below 8 % are left out."""
    rows = palette.reshape(len(NAMES), 4)
    names, _ = _palette()
    found = []
    for k in np.argsort(-rows[:, 0])[:limit]:
        share, *rgb = (float(value) for value in rows[k])
        if share >= SMALLEST_SHARE:
            red, green, blue = (round(value) for value in rgb)
            found.append(NamedColour(names[k], (red, green, blue), round(share, 3)))
    return found


def dominant_colours(image: Image.Image, limit: int = 4) -> list[NamedColour]:
    """The commonest named colours of an image's foreground, as ``named_colours`` tells them."""
    square = np.asarray(fit_square(image, WORK_SIDE))
    return named_colours(colour_blocks(square[None]).palette[0], limit)
