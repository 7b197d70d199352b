"""Find near-duplicate products by file digest, perceptual hash and embedding."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .. import signals
from ..catalogue.models import CatalogueImage
from ..images.quality import hamming
from ..index.models import Embedding
from ..indexing import encoder_releases
from ..indexing.encoder_releases import LiveRelease
from ..indexing.photo_similarity import Look, looks
from ..types import ProductRef

HASH_BITS = 6  # of 64 that may differ: recompression and resizing flip up to 4
BANDS = 8  # bytes of a hash; two that differ in at most 6 bits share at least one
ROWS_AT_ONCE = 200  # hashes compared with their bucket in one step
COPIED_SHAPE = 0.99  # of grey thumbnails: copies at a third of the size and JPEG 40 have .998 or more
PARTNERS_AT_ONCE = 499  # photos compared with one in one step: their descriptors are read at once, 2 MB
MIN_SIMILARITY = 0.95
NEAREST = 5


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two products that share a photo, or nearly.

    Args:
        first, second: the products, first below second.
        reason: ``same file``, ``same picture`` (perceptual hash) or ``same look`` (embedding).
        similarity: cosine of their nearest photos; 1.0 for a same file.
        images: names of the two photos.
    """

    first: ProductRef
    second: ProductRef
    reason: str
    similarity: float
    images: tuple[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "first": str(self.first), "second": str(self.second)}


def find_duplicates(*, min_similarity: float = MIN_SIMILARITY) -> list[Duplicate]:
    """Pairs of products (not variants of one another), surest first; each pair once, by its best reason.

    Raises:
        TemporaryFailure: nothing is indexed yet.
    """
    live = encoder_releases.live()
    rows = _photos()
    found: dict[tuple[int, int], tuple[str, float, int, int]] = {}
    for reason, pairs in (
        ("same file", _same_file(rows)),
        ("same picture", _confirmed(live, rows, _same_picture(rows))),
        ("same look", _same_look(live, rows, min_similarity)),
    ):
        for a, b, similarity in pairs:
            one, two = sorted((a, b), key=lambda pk: rows[pk].entry)
            key = (rows[one].entry, rows[two].entry)
            if key[0] != key[1] and rows[one].group != rows[two].group:
                found.setdefault(key, (reason, similarity, one, two))
    pairs_found = [_duplicate(rows, *rest) for rest in found.values()]
    signals.duplicates_found.send_robust(Duplicate, pairs=pairs_found)
    return pairs_found


@dataclass(frozen=True, slots=True)
class _Photo:
    entry: int
    group: str
    ref: ProductRef
    name: str
    digest: str
    look: int | None


def _photos() -> dict[int, _Photo]:
    found = CatalogueImage.objects.filter(state=CatalogueImage.State.INDEXED)
    fields = ("pk", "entry_id", "entry__group", "entry__source", "entry__object_id", "name")
    out = {}
    for pk, entry, group, source, key, name, digest, look in found.values_list(
        *fields, "content_digest", "perceptual_hash"
    ).iterator():
        out[pk] = _Photo(entry, group, ProductRef(source, key), name, digest, look)
    return out


def _same_file(rows: dict[int, _Photo]) -> Iterator[tuple[int, int, float]]:
    buckets: dict[str, list[int]] = defaultdict(list)
    for pk, photo in rows.items():
        buckets[photo.digest].append(pk)
    for digest, members in buckets.items():
        if digest:
            yield from ((members[0], other, 1.0) for other in members[1:])


def _same_picture(rows: dict[int, _Photo]) -> Iterator[tuple[int, int, float]]:
    """Photos whose hashes differ in at most HASH_BITS, found through the bytes they must share."""
    for band in range(BANDS):
        buckets: dict[int, list[int]] = defaultdict(list)
        for pk, photo in rows.items():
            if photo.look is not None:
                buckets[photo.look >> (8 * band) & 0xFF].append(pk)
        for members in buckets.values():
            yield from _within(rows, members)


def _within(rows: dict[int, _Photo], members: list[int]) -> Iterator[tuple[int, int, float]]:
    looks = np.array([rows[pk].look for pk in members], np.int64).view(np.uint64)
    step = ROWS_AT_ONCE
    for start in range(0, len(members), step):
        near = np.bitwise_count(looks[start : start + step, None] ^ looks[None, :]) <= HASH_BITS
        for i, j in zip(*np.nonzero(near), strict=True):
            if start + i < j:
                bits = hamming(int(rows[members[start + i]].look or 0), int(rows[members[j]].look or 0))
                yield members[start + i], members[j], round(1 - bits / 64, 4)


def _confirmed(
    live: LiveRelease, rows: dict[int, _Photo], pairs: Iterable[tuple[int, int, float]]
) -> Iterator[tuple[int, int, float]]:
    """Those whose grey thumbnails and colours are those of copies too.

    On white a hash sees little but an outline: of 126 drawn products it took 1,293 pairs for one picture.
    """
    partners: dict[int, dict[int, float]] = defaultdict(dict)
    for a, b, similarity in pairs:
        if rows[a].group != rows[b].group:
            partners[a][b] = similarity
    for a, others in partners.items():
        for start in range(0, len(others), PARTNERS_AT_ONCE):
            part = list(others)[start : start + PARTNERS_AT_ONCE]
            known = looks([a, *part], live.row.backbone_digest)
            for b in part:
                if a in known and b in known and _is_copy(known[a], known[b]):
                    yield a, b, others[b]


def _is_copy(one: Look, other: Look) -> bool:
    return one.shape_like(other) >= COPIED_SHAPE and one.has_colours_of(other)


def _same_look(
    live: LiveRelease, rows: dict[int, _Photo], min_similarity: float
) -> Iterator[tuple[int, int, float]]:
    """Each photo's nearest other products in the index."""
    quantiles = live.row.background.get("quantiles") or [min_similarity]
    least = max(min_similarity, float(quantiles[-1]))
    stored = Embedding.objects.filter(release=live.row, vector__isnull=False)
    for image_id, vector in stored.values_list("image_id", "vector").iterator():
        query = np.frombuffer(bytes(vector or b""), "<f2").astype(np.float32)
        hits = live.index.query(query, NEAREST, digest=live.row.digest)
        for other, similarity in zip(hits.ids.tolist(), hits.similarities.tolist(), strict=True):
            if similarity >= least and other != image_id and other in rows and image_id in rows:
                yield image_id, other, round(similarity, 4)


def _duplicate(rows: dict[int, _Photo], reason: str, similarity: float, a: int, b: int) -> Duplicate:
    return Duplicate(rows[a].ref, rows[b].ref, reason, similarity, (rows[a].name, rows[b].name))
