"""Four views of a photo (original, mirrored, centre crop, mirrored crop) for heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageOps

from ..encoders.base import PALETTE, Descriptors, Encoder
from ..encoders.descriptor import pack, unpack
from ..encoders.projection import unit
from .labelled_set import Glances

NEARER = 0.84  # of each side
GLANCES = 4
LEARNED = (
    3  # of them heads learn from: the fourth made stored descriptors no better known, and costs a third more
)
MOST_SEEN_AGAIN = 2000  # photos whose other glances are described for training: half a minute of two cores


def glances(image: Image.Image) -> list[Image.Image]:
    """The photo, its mirror image, its middle, and the mirror image of that."""
    width, height = image.size
    left, top = round(width * (1 - NEARER) / 2), round(height * (1 - NEARER) / 2)
    middle = image.crop((left, top, max(width - left, left + 1), max(height - top, top + 1)))
    return [image, ImageOps.mirror(image), middle, ImageOps.mirror(middle)]


def pack_other_glances(encoder: Encoder, images: Sequence[Image.Image]) -> list[tuple[bytes, ...]]:
    """What heads learn from beside each photo, as the database would keep it, ``LEARNED - 1`` descriptors each.

    Args:
        encoder: of the descriptors that a head is trained on.
        images: upright RGB, any size.
    """
    others = LEARNED - 1
    described = encoder.describe([glance for image in images for glance in glances(image)[1:LEARNED]])
    packed = [pack(described, row) for row in range(others * len(images))]
    return [tuple(packed[start : start + others]) for start in range(0, len(packed), others)]


def unpack_glances(packed: Mapping[int, Sequence[bytes]]) -> Glances | None:
    """What a head learns from beside the photos: by the photo's row, what ``pack_other_glances`` gave."""
    rows = [row for row, ones in packed.items() for _ in ones]
    if not rows:
        return None
    return Glances(unpack([one for ones in packed.values() for one in ones]), np.array(rows, int))


def describe_averaged(encoder: Encoder, images: Sequence[Image.Image]) -> Descriptors:
    """Blocks of photos for a classifier, float32 (N, d): unit rows along the mean of each photo's ``glances``.

    Four times the work, for single photos. A head trained on blocks of photos as they are takes these too: it
    is linear in unit rows. (User photos of clothes, out of fold, two seeds: 86.4 -> 87.1 % right, log-loss .396
    -> .364, as well calibrated; three glances .367.)

    Args:
        encoder: of the descriptors that the classifier was trained on.
        images: upright RGB, any size.
    """
    described = encoder.describe([glance for image in images for glance in glances(image)])
    found = {}
    for name, block in described.items():
        if name != PALETTE:
            rows = unit(block).reshape(len(images), GLANCES, block.shape[1])
            found[name] = unit(np.asarray(rows.mean(axis=1)))
    return found
