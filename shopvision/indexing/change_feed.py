"""Embedding rows -> index, in the order they were committed; and how far the two are apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db.models import Exists, OuterRef

from .. import metrics
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..index.base import IndexRow, token
from ..index.models import Descriptor, Embedding, EncoderRelease

if TYPE_CHECKING:
    from .encoder_releases import LiveRelease

PAGE = 2000  # embedding rows per step: 1 MB of float16 at 256 dimensions
REBUILD_ABOVE = 4 * PAGE  # rows an index is behind from which a fresh snapshot is cheaper than a log


def follow(live: LiveRelease) -> int:
    """Bring the index up to the database's last change of its release; number of rows applied.

    Idempotent, and safe in any number of processes and hosts at once: rows are applied in the order of
    their sequence, and a step another process was faster with is ignored by the index. When nothing
    changed it costs one query by primary key. An index that is *ahead* of the database (a restored backup)
    or far behind it is rebuilt.

    Raises:
        IndexUnavailable: the index's lock was not free in time; what is left is applied next time.
    """
    newest = EncoderRelease.objects.values_list("sequence", flat=True).get(pk=live.row.pk)
    behind = newest - live.index.sequence()
    if behind == 0:
        return 0
    with metrics.timed("follow"):
        if behind < 0 or behind > REBUILD_ABOVE:
            return rebuild(live)
        return _catch_up(live)


def _catch_up(live: LiveRelease) -> int:
    applied = 0
    while True:
        feed = Embedding.objects.filter(release_id=live.row.pk, sequence__gt=live.index.sequence())
        rows = list(feed.order_by("sequence")[:PAGE])
        if not rows:
            return applied
        upserts = index_rows([row for row in rows if row.vector is not None])
        kept = {row.id for row in upserts}
        deletes = [row.image_id for row in rows if row.image_id not in kept]
        live.index.apply(upserts, deletes, sequence=rows[-1].sequence, digest=live.row.digest)
        applied += len(rows)


def rebuild(live: LiveRelease) -> int:
    """Replace the whole index by what the database holds; number of photos in it."""
    newest = EncoderRelease.objects.values_list("sequence", flat=True).get(pk=live.row.pk)
    count = 0

    def counted() -> Iterator[IndexRow]:
        nonlocal count
        for count, row in enumerate(_all_rows(live.row.pk), start=1):  # noqa: B007 - read after the loop
            yield row

    live.index.rebuild(counted(), sequence=newest, digest=live.row.digest)
    metrics.event("index_rebuilt", release=live.row.pk, photos=count, sequence=newest)
    return count


def _all_rows(release_id: int) -> Iterator[IndexRow]:
    """Every embedding, by primary key; a change made while we read has a later sequence and is followed."""
    last = 0
    while True:
        found = Embedding.objects.filter(release_id=release_id, pk__gt=last, vector__isnull=False)
        rows = list(found.order_by("pk")[:PAGE])
        if not rows:
            return
        last = rows[-1].pk
        yield from index_rows(rows)


def index_rows(embeddings: Sequence[Embedding]) -> list[IndexRow]:
    """Embeddings with the facts that filters need; one whose product is gone is left out."""
    entries = CatalogueEntry.objects.only("categories", "filters", "price", "in_stock", "source").in_bulk(
        {row.entry_id for row in embeddings}
    )
    return [_index_row(row, entries[row.entry_id]) for row in embeddings if row.entry_id in entries]


def _index_row(row: Embedding, entry: CatalogueEntry) -> IndexRow:
    names: dict[str, None] = {}  # ordered and without repeats
    for category in entry.categories:
        names.update(dict.fromkeys([str(category["id"]), *map(str, category.get("ancestors", ()))]))
    return IndexRow(
        id=row.image_id,
        product=row.entry_id,
        vector=np.frombuffer(bytes(row.vector or b""), "<f2").astype(np.float32),
        categories=tuple(names),
        price=None if entry.price is None else float(entry.price),
        in_stock=entry.in_stock,
        source=entry.source,
        values=tuple(token(name, one) for name, held in entry.filters.items() for one in held),
    )


@dataclass(frozen=True, slots=True)
class IndexDrift:
    """How far photos, embeddings and index are apart, in photos; ``total`` is zero when all is well.

    Args:
        database: embeddings of the release that are no tombstones.
        index: photos the index can find.
        unembedded: usable photos without an embedding of the release.
        orphaned: embeddings whose photo or product is gone.
        missing: embeddings the index does not know.
        extra: photos the index knows and the database does not.
        behind: changes the index has not applied yet; they are on their way and not counted in the total.
    """

    database: int
    index: int
    unembedded: int
    orphaned: int
    missing: int
    extra: int
    behind: int

    @property
    def total(self) -> int:
        """Photos that are not where they should be."""
        return self.unembedded + self.orphaned + self.missing + self.extra

    def as_dict(self) -> dict[str, int]:
        """Plain values for JSON."""
        return {**asdict(self), "total": self.total}


def verify(live: LiveRelease) -> IndexDrift:
    """Compare photo by photo; walks every embedding's key, so not for every request."""
    follow(live)
    ids = Embedding.objects.filter(release_id=live.row.pk, vector__isnull=False).order_by("image_id")
    database = missing = 0
    for page in _pages(ids.values_list("image_id", flat=True)):
        database += len(page)
        missing += len(page) - len(live.index.vectors(page))
    newest = EncoderRelease.objects.values_list("sequence", flat=True).get(pk=live.row.pk)
    return IndexDrift(
        database=database,
        index=live.index.count(),
        unembedded=missing_embeddings(live.row).count(),
        orphaned=orphaned_embeddings(live.row).count(),
        missing=missing,
        extra=max(0, live.index.count() - (database - missing)),
        behind=max(0, newest - live.index.sequence()),
    )


def _pages(ids: Any) -> Iterator[list[int]]:
    page: list[int] = []
    for image_id in ids.iterator(chunk_size=PAGE):
        page.append(image_id)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


def missing_embeddings(release: EncoderRelease) -> Any:
    """Photos (CatalogueImage queryset) that could be found under the release and have no embedding there."""
    described = Descriptor.objects.filter(image=OuterRef("pk"), backbone_digest=release.backbone_digest)
    embedded = Embedding.objects.filter(release=release, image_id=OuterRef("pk"), vector__isnull=False)
    usable = CatalogueImage.objects.filter(state=CatalogueImage.State.INDEXED)
    return usable.filter(~Exists(embedded) | ~Exists(described))


def orphaned_embeddings(release: EncoderRelease) -> Any:
    """Embeddings (queryset) of the release whose photo is gone or can no longer be used."""
    photo = CatalogueImage.objects.filter(pk=OuterRef("image_id")).exclude(
        state=CatalogueImage.State.REJECTED
    )
    return Embedding.objects.filter(~Exists(photo), release=release, vector__isnull=False)
