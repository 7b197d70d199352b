"""Products that share a photo, or nearly: they stay on one side of a split, and may not carry different labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..images.alike import Groups, alike_pairs
from ..indexing.copies import LEAST_SHAPE, looks

SAME_FILE, SAME_PICTURE, SAME_SHAPE = "same file", "same picture", "same shape"


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
    known = looks(sorted({one.image for pair in proposed for one in pair}), backbone_digest)
    pairs = []
    for one, other in proposed:
        look, like = known.get(one.image), known.get(other.image)
        if look is not None and like is not None and look.shape_like(like) >= LEAST_SHAPE:
            pairs.append(_pair(one, other, SAME_PICTURE if look.has_colours_of(like) else SAME_SHAPE))
    return sorted(pairs, key=lambda pair: pair.why)  # a picture before a mere shape


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
