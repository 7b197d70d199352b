"""Photos drawn from a seed; needs no Django app."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from django.core.files.base import ContentFile
from PIL import Image, ImageDraw

SIDE = 120  # pixels; enough for every block, quick to decode


def draw(seed: int, *, side: int = SIDE, view: int = 0) -> Image.Image:
    """A picture of thing number ``seed``: coloured shapes on white; ``view`` moves and turns it a little.

    The same seed gives the same picture; two seeds differ in colour, shape and pattern.
    """
    rng = np.random.default_rng(seed)
    colours = [tuple(int(c) for c in rng.integers(0, 230, 3)) for _ in range(3)]
    image = Image.new("RGB", (side, side), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    edge = side // 8
    box = (edge, edge, side - edge, side - edge)
    [
        pen.rectangle,
        pen.ellipse,
        lambda b, fill: pen.regular_polygon((side / 2, side / 2, side / 2.6), 3, fill=fill),
    ][seed % 3](box, fill=colours[0])
    for _ in range(int(rng.integers(2, 7))):
        x, y = (int(v) for v in rng.integers(edge, side - 2 * edge, 2))
        size = int(rng.integers(side // 12, side // 4))
        pen.ellipse((x, y, x + size, y + size), fill=colours[int(rng.integers(1, 3))])
    if view:
        turned = image.rotate(7 * view, resample=Image.Resampling.BILINEAR, fillcolor=(255, 255, 255))
        return turned.transform(
            (side, side), Image.Transform.AFFINE, (1, 0, 3 * view, 0, 1, -2 * view), fillcolor=(255, 255, 255)
        )
    return image


def jpeg(seed: int, *, side: int = SIDE, view: int = 0) -> bytes:
    """The same as JPEG bytes."""
    out = io.BytesIO()
    draw(seed, side=side, view=view).save(out, "JPEG", quality=90)
    return out.getvalue()


def photo_file(seed: int, name: str = "", **kwargs: Any) -> ContentFile[bytes]:
    """The same as an upload."""
    return ContentFile(jpeg(seed, **kwargs), name=name or f"thing-{seed}-{kwargs.get('view', 0)}.jpg")
