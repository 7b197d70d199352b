"""Detect copies of a photo from its stored descriptor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..encoders.descriptor import unpack
from ..encoders.projection import unit
from ..index.models import Descriptor

LEAST_SHAPE = (
    0.98  # correlation of grey thumbnails; copies have .998 and more, other things of a like hash .97
)
LEAST_COLOUR = (
    0.97  # cosine of colour histograms; copies have .98 and more (a third of the size and JPEG 40: .968),
    # recoloured ones .6 to .97
)
READ_AT_ONCE = 500  # packed descriptors


@dataclass(frozen=True, slots=True)
class Look:
    """A photo's grey thumbnail, less its mean, and its colours; unit norm each."""

    shape: np.ndarray
    colour: np.ndarray

    def shape_like(self, other: Look) -> float:
        """Correlation of the thumbnails, -1 to 1: colour hardly counts."""
        return float(self.shape @ other.shape)

    def has_colours_of(self, other: Look) -> bool:
        """A grey look, and a hash of it, takes recoloured things for one; their colours tell them apart."""
        return float(self.colour @ other.colour) >= LEAST_COLOUR


def looks(images: Sequence[int], backbone_digest: str) -> dict[int, Look]:
    """Looks of some photos (keys of ``CatalogueImage``); those that are not described are left out."""
    found: dict[int, Look] = {}
    for start in range(0, len(images), READ_AT_ONCE):
        rows = Descriptor.objects.filter(
            backbone_digest=backbone_digest, image_id__in=images[start : start + READ_AT_ONCE]
        )
        part = list(rows.values_list("image_id", "data"))
        if not part:
            continue
        blocks = unpack([bytes(data) for _, data in part])
        if not {"thumb", "colour"} <= set(
            blocks
        ):  # an encoder without colour blocks: copies are told by their bytes
            return {}
        thumbs = blocks["thumb"] - blocks["thumb"].mean(axis=1, keepdims=True)
        shapes, colours = unit(thumbs), unit(blocks["colour"])
        found.update({image: Look(shapes[n], colours[n]) for n, (image, _) in enumerate(part)})
    return found
