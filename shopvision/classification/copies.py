"""Products that share a photo, or nearly: they stay on one side of a split, and may not carry different labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..images.alike import Groups, alike_pairs
from ..index.models import Descriptor
from ..vision.descriptor import unpack
from ..vision.projection import unit

SAME_FILE, SAME_PICTURE, SAME_SHAPE = "same file", "same picture", "same shape"
LEAST_SHAPE = (
    0.98  # correlation of grey thumbnails; copies have .999 and more, other things of a like hash .97
)
LEAST_COLOUR = 0.97  # cosine of colour histograms; copies have .99 and more, recoloured ones .6 to .93
READ_AT_ONCE = 500  # packed descriptors


@dataclass(frozen=True, slots=True)
class PhotoRow:
    """A described photo: its key, its product's entry and group, digest of its bytes, perceptual hash."""

    image: int
    entry: int
    group: str
    digest: str
    look: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two entries that share a photo, the lower one first, and how alike: a file, a picture, or but for its colours."""

    first: int
    second: int
    why: str


def find_pairs(photos: Sequence[PhotoRow], backbone_digest: str) -> list[Pair]:
    """Every pair of products once, by its best reason.

    Perceptual hashes propose; thumbnails and colours, as stored with the descriptors, decide: of things alone
    on white, a hash says little.
    """
    found: dict[tuple[int, int], str] = {}
    for pair in (*_same_file(photos), *_alike(photos, backbone_digest)):
        found.setdefault((pair.first, pair.second), pair.why)
    return [Pair(*key, why) for key, why in found.items()]


def _pair(one: PhotoRow, other: PhotoRow, why: str) -> Pair:
    return Pair(min(one.entry, other.entry), max(one.entry, other.entry), why)


def _same_file(photos: Sequence[PhotoRow]) -> Iterator[Pair]:
    first: dict[str, PhotoRow] = {}
    for photo in photos:
        if photo.digest and first.setdefault(photo.digest, photo).entry != photo.entry:
            yield _pair(first[photo.digest], photo, SAME_FILE)


def _alike(photos: Sequence[PhotoRow], backbone_digest: str) -> list[Pair]:
    proposed = [
        (photos[a], photos[b])
        for a, b in alike_pairs([one.look for one in photos])
        if photos[a].entry != photos[b].entry
    ]
    looks = _looks(sorted({one.image for pair in proposed for one in pair}), backbone_digest)
    pairs = []
    for one, other in proposed:
        if one.image not in looks or other.image not in looks:
            continue
        (shape, colour), (other_shape, other_colour) = looks[one.image], looks[other.image]
        if float(shape @ other_shape) >= LEAST_SHAPE:
            same = float(colour @ other_colour) >= LEAST_COLOUR
            pairs.append(_pair(one, other, SAME_PICTURE if same else SAME_SHAPE))
    return sorted(pairs, key=lambda pair: pair.why)  # a picture before a mere shape


def _looks(images: Sequence[int], backbone_digest: str) -> Mapping[int, tuple[np.ndarray, np.ndarray]]:
    """Thumbnail, less its mean, and colours of some photos, unit norm each."""
    found: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for start in range(0, len(images), READ_AT_ONCE):
        rows = Descriptor.objects.filter(
            backbone_digest=backbone_digest, image_id__in=images[start : start + READ_AT_ONCE]
        )
        part = list(rows.values_list("image_id", "data"))
        blocks = unpack([bytes(data) for _, data in part])
        thumbs = blocks["thumb"] - blocks["thumb"].mean(axis=1, keepdims=True)
        shapes, colours = unit(thumbs), unit(blocks["colour"])
        found.update({image: (shapes[n], colours[n]) for n, (image, _) in enumerate(part)})
    return found


def grouped(photos: Sequence[PhotoRow], entries: Sequence[int], pairs: Sequence[Pair]) -> dict[int, int]:
    """The group of each entry: variants of one product, and products that share a photo or nearly."""
    place = {entry: number for number, entry in enumerate(entries)}
    groups = Groups(len(entries))
    first: dict[str, int] = {}
    for photo in photos:
        groups.join(first.setdefault(photo.group, place[photo.entry]), place[photo.entry])
    for pair in pairs:
        groups.join(place[pair.first], place[pair.second])
    numbers = groups.numbers()
    return {entry: int(numbers[number]) for entry, number in place.items()}
