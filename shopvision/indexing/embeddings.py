"""Compute and store embeddings of a release, numbered in commit order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import F

from ..catalogue.models import CatalogueImage
from ..encoders.descriptor import unpack
from ..encoders.projection import Projection, gallery
from ..exceptions import Misconfigured
from ..index.models import Descriptor, Embedding, EncoderRelease
from .change_feed import orphaned_embeddings

State = EncoderRelease.State
WRITTEN = (State.BUILDING, State.CANDIDATE, State.LIVE)
"""Releases every change is written to, so that none is lost while a new one is built beside the live one."""
PRODUCTS_PER_STEP = 200  # locked for about 0.2 s while a release is built; changes wait that long at most


def lock(release_ids: Iterable[int]) -> dict[int, int]:
    """Hold the releases' rows until the transaction ends; their last sequence numbers.

    Must run inside a transaction. An UPDATE, not SELECT FOR UPDATE: it takes the write lock on SQLite too,
    whatever its transaction mode. Always in the order of the keys, so two workers cannot deadlock.
    """
    numbers: dict[int, int] = {}
    for release_id in sorted(release_ids):
        row = EncoderRelease.objects.filter(pk=release_id)
        row.update(sequence=F("sequence"))
        number = row.values_list("sequence", flat=True).first()
        if number is not None:  # a release may be deleted while we worked
            numbers[release_id] = number
    return numbers


def embed_products(
    release: EncoderRelease, projection: Projection, entries: Sequence[int], sequence: int
) -> int:
    """Write the embeddings of all photos of some products, and tombstones of the photos that went.

    All rows of a product are computed together, since the gallery side of each depends on the others. Call it
    inside a transaction, with the release locked.

    Args:
        release: the release; its row is locked and gets its new sequence.
        projection: of that release.
        entries: primary keys of CatalogueEntry; keys that no longer exist are all tombstones.
        sequence: the release's last number, from ``lock``.

    Returns:
        the release's new last number.
    """
    photos = _described(release, entries)
    vectors = _gallery_vectors(photos, projection)
    rows = [
        Embedding(
            release=release, image_id=photo["image_id"], entry_id=photo["image__entry_id"], vector=vector
        )
        for photo, vector in zip(photos, vectors, strict=True)
    ]
    kept = {row.image_id for row in rows}
    stored = Embedding.objects.filter(release=release, entry_id__in=entries, vector__isnull=False)
    gone = [row for row in stored.only("image_id", "entry_id") if row.image_id not in kept]
    rows += [
        Embedding(release=release, image_id=row.image_id, entry_id=row.entry_id, vector=None) for row in gone
    ]
    return _write(release, rows, sequence)


def bury(release: EncoderRelease, image_ids: Sequence[int], sequence: int) -> int:
    """Turn embeddings into tombstones, under the release's lock; its new last number."""
    stored = Embedding.objects.filter(release=release, image_id__in=image_ids, vector__isnull=False)
    rows = [
        Embedding(release=release, image_id=image_id, entry_id=entry_id, vector=None)
        for image_id, entry_id in stored.values_list("image_id", "entry_id")
    ]
    return _write(release, rows, sequence)


def _described(release: EncoderRelease, entries: Sequence[int]) -> list[dict[str, Any]]:
    """Packed descriptors of all usable photos of the products, in the order of product and position."""
    rows = Descriptor.objects.filter(backbone_digest=release.backbone_digest, image__entry_id__in=entries)
    usable = rows.exclude(image__state=CatalogueImage.State.REJECTED)
    ordered = usable.order_by("image__entry_id", "image__position", "image_id")
    return [dict(row) for row in ordered.values("image_id", "image__entry_id", "data")]


def _gallery_vectors(photos: Sequence[dict[str, Any]], projection: Projection) -> list[bytes]:
    """float16 bytes, one per photo; the first usable photo of each product is its catalogue image."""
    if not photos:
        return []
    products = np.array([photo["image__entry_id"] for photo in photos], np.int64)
    is_catalogue = np.concatenate([[True], products[1:] != products[:-1]])
    embedded = projection.embed(unpack([bytes(photo["data"]) for photo in photos]))
    mixed = gallery(embedded, products, is_catalogue)
    return [row.tobytes() for row in mixed.astype("<f2")]


def _write(release: EncoderRelease, rows: Sequence[Embedding], sequence: int) -> int:
    """Store the rows with the next numbers and move the release's own."""
    if not rows:
        return sequence
    for row in rows:
        sequence += 1
        row.sequence = sequence
    Embedding.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["release", "image_id"],
        update_fields=["entry_id", "vector", "sequence", "changed_at"],
    )
    EncoderRelease.objects.filter(pk=release.pk).update(sequence=sequence)
    return sequence


def build_release(row: EncoderRelease) -> int:
    """Embed every stored descriptor under a release; products embedded. See ``build_steps``."""
    return sum(build_steps(row))


def build_steps(row: EncoderRelease) -> Iterator[int]:
    """The same a few hundred products at a time: how many each step embedded.

    Two releases live side by side: each step holds the release's lock for a moment only, and a change that
    comes while we build is written to both by the workers. Doing it again (after a crash, or before a
    rollback) ends in the same rows.

    Raises:
        Misconfigured: the release has no projection.
    """
    if row.projection is None:
        raise Misconfigured("release_without_projection", release=row)
    projection = Projection.from_bytes(bytes(row.projection.data))
    found = CatalogueImage.objects.filter(descriptors__backbone_digest=row.backbone_digest)
    last = 0
    while True:
        keys = (
            found.filter(entry_id__gt=last).order_by("entry_id").values_list("entry_id", flat=True).distinct()
        )
        entries = list(keys[:PRODUCTS_PER_STEP])
        if not entries:
            break
        last = entries[-1]
        with transaction.atomic():
            embed_products(row, projection, entries, lock([row.pk])[row.pk])
        yield len(entries)
    sweep(row)


def sweep(row: EncoderRelease) -> int:
    """Bury the embeddings whose photo or product went without our hearing of it; how many."""
    with transaction.atomic():
        number = lock([row.pk])[row.pk]
        ids = list(orphaned_embeddings(row).values_list("image_id", flat=True))
        for start in range(0, len(ids), PRODUCTS_PER_STEP):
            number = bury(row, ids[start : start + PRODUCTS_PER_STEP], number)
    return len(ids)
