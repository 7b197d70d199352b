"""Image + Region -> image; subject region proposals."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from ..types import FULL_FRAME, Region

SIDE = 64  # pixels of the picture the proposals are made on
UNIFORM = 24.0  # RGB distance: a border that spreads further is a scene, not a background
LEAST_SHARE, MOST_SHARE = 0.02, 0.85  # of the frame a subject covers; outside, cropping to it helps nobody
MARGIN = 0.02  # of the frame, left around a subject
MOST_REGIONS = 3


def crop(image: Image.Image, region: Region | None) -> Image.Image:
    """The part of an upright image inside the region, at least one pixel; the image itself for no region."""
    if region is None or region == FULL_FRAME:
        return image
    width, height = image.size
    left, top = min(int(region.x0 * width), width - 1), min(int(region.y0 * height), height - 1)
    right = max(left + 1, min(width, math.ceil(region.x1 * width)))
    bottom = max(top + 1, min(height, math.ceil(region.y1 * height)))
    return image.crop((left, top, right, bottom))


def propose(image: Image.Image) -> list[Region]:
    """Boxes around what differs from a plain background, largest first; none when there is no such thing.

    The background is the median colour of the frame's border. A border of many colours, or a subject that
    fills the frame, gives an empty list: the whole frame is then the better query.
    """
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=1.5)
    pixels = np.asarray(small.convert("RGB"), np.float32)
    border = np.concatenate(
        [pixels[:2].reshape(-1, 3), pixels[-2:].reshape(-1, 3), pixels[:, 0], pixels[:, -1]]
    )
    background = np.median(border, axis=0)
    spread = float(np.quantile(np.linalg.norm(border - background, axis=1), 0.75))
    if spread > UNIFORM:
        return []
    differs = np.linalg.norm(pixels - background, axis=2) > UNIFORM + spread
    parts = [mask for mask in _connected(differs) if LEAST_SHARE <= mask.mean() <= MOST_SHARE]
    parts.sort(key=lambda mask: -int(mask.sum()))
    return [_box(mask) for mask in parts[:MOST_REGIONS]]


def _connected(mask: np.ndarray) -> list[np.ndarray]:
    """The 4-connected parts of a boolean (S, S) mask, by spreading the largest label."""
    labels = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    while True:
        spread = np.pad(labels, 1)
        around = (spread[:-2, 1:-1], spread[2:, 1:-1], spread[1:-1, :-2], spread[1:-1, 2:])
        grown = np.where(mask, np.maximum.reduce([labels, *around]), 0)
        if np.array_equal(grown, labels):
            break
        labels = grown
    return [labels == label for label in np.unique(labels) if label]


def _box(mask: np.ndarray) -> Region:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    low = np.array([columns[0], rows[0]]) / SIDE - MARGIN
    high = np.array([columns[-1] + 1, rows[-1] + 1]) / SIDE + MARGIN
    x0, y0, x1, y1 = np.clip(np.concatenate([low, high]), 0.0, 1.0).round(4).tolist()
    return Region(x0, y0, x1, y1)
