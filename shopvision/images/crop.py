"""Crop images to a region, and propose the subject's region."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..exceptions import ImageRejected
from ..types import FULL_FRAME, Region

SIDE = 64  # pixels of the picture the proposals are made on
UNIFORM = 24.0  # RGB distance: a border that spreads further is a scene, not a background
LEAST_SHARE, MOST_SHARE = 0.02, 0.85  # of the frame a subject covers; outside, cropping to it helps nobody
MARGIN = 0.02  # of the frame, left around a subject
MOST_REGIONS = 3
LEAST_PIXELS = (
    16  # of the longer side of what a shopper means: DecodeLimits.min_side; in fewer there is nothing to see
)
CENTRE = 0.7  # of each side: what a shopper aims at is in the middle, what surrounds it often is not meant


def crop(image: Image.Image, region: Region | None) -> Image.Image:
    """The part of an upright image inside the region; the image itself for no region.

    Raises:
        ImageRejected: ``too_small``: the part's longer side has fewer than ``LEAST_PIXELS``.
    """
    if region is None or region == FULL_FRAME:
        return image
    part = _cut(image, region)
    if max(part.size) < LEAST_PIXELS:
        raise ImageRejected(
            "too_small", "crop_too_small", width=part.width, height=part.height, least_pixels=LEAST_PIXELS
        )
    return part


def _cut(image: Image.Image, region: Region) -> Image.Image:
    """The part inside the region, at least one pixel."""
    width, height = image.size
    left, top = min(int(region.x0 * width), width - 1), min(int(region.y0 * height), height - 1)
    right = max(left + 1, min(width, math.ceil(region.x1 * width)))
    bottom = max(top + 1, min(height, math.ceil(region.y1 * height)))
    return image.crop((left, top, right, bottom))


def views(image: Image.Image, boxes: Sequence[Region]) -> list[Image.Image]:
    """The looks taken at a shopper's photo: the whole, and its middle where nothing stands out from the border.

    Before a plain background the whole shows all there is and a closer look would cut it.

    Args:
        image: upright.
        boxes: what ``propose`` found in it.
    """
    if boxes:
        return [image]
    margin = (1 - CENTRE) / 2
    return [image, _cut(image, Region(margin, margin, 1 - margin, 1 - margin))]


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
    share = SIDE * SIDE
    parts = [one for one in _connected(differs) if LEAST_SHARE <= one[0] / share <= MOST_SHARE]
    parts.sort(key=lambda one: -one[0])
    return [_box(*one[1:]) for one in parts[:MOST_REGIONS]]


def _connected(mask: np.ndarray) -> list[tuple[int, int, int, int, int]]:
    """The 4-connected parts of a boolean (S, S) mask: area, and first and last column and row (last excluded).

    Runs of each row are joined to those they touch in the row above (union-find), so the cost grows with the
    runs and not with the way through a winding shape.
    """
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    (rows, starts), stops = np.nonzero(edges == 1), np.nonzero(edges == -1)[1]
    runs = list(zip(rows.tolist(), starts.tolist(), stops.tolist(), strict=True))
    parent = list(range(len(runs)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above = 0
    for number, (row, start, stop) in enumerate(runs):
        while runs[above][0] < row - 1 or (runs[above][0] == row - 1 and runs[above][2] <= start):
            above += 1
        other = above
        while runs[other][0] == row - 1 and runs[other][1] < stop:
            parent[root(other)] = root(number)
            other += 1
    parts: dict[int, tuple[int, int, int, int, int]] = {}
    for number, (row, start, stop) in enumerate(runs):
        key = root(number)
        area, x0, y0, x1, _ = parts.get(key, (0, start, row, stop, row))
        parts[key] = (area + stop - start, min(x0, start), y0, max(x1, stop), row + 1)
    return list(parts.values())


def _box(left: int, top: int, right: int, bottom: int) -> Region:
    low = np.array([left, top]) / SIDE - MARGIN
    high = np.array([right, bottom]) / SIDE + MARGIN
    x0, y0, x1, y1 = np.clip(np.concatenate([low, high]), 0.0, 1.0).round(4).tolist()
    return Region(x0, y0, x1, y1)
