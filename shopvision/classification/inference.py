"""Load the inputs of a classifier page by page: descriptors, texts or photos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL.Image import Image

from .. import metrics
from ..catalogue.adapter import Catalogue
from ..catalogue.models import CatalogueImage
from ..classifiers.base import Classifier, Examples
from ..encoders.descriptor import unpack
from ..index.models import Descriptor
from ..indexing.photos import THREADS, read_photo
from .classifier_evaluation import by_item

PHOTOS_AT_ONCE = (
    128  # unpacked together, 4 MB of float32 blocks: 16 MB are mapped anew each time, at twice the cost
)
PIXELS_AT_ONCE = 32  # photos decoded together, for classifiers that look at pixels


@dataclass(frozen=True)
class Opinion:
    """What a classifier says of some products.

    Args:
        probabilities: float64 (N, C), mean over a product's photos; zeros where it saw none.
        known: float64 (N,).
        seen: bool (N,), whether it saw a photo of the product.
    """

    probabilities: np.ndarray
    known: np.ndarray
    seen: np.ndarray


@dataclass(frozen=True)
class Material:
    """What a classifier needs of some products, fetched; judging it asks no database.

    Args:
        count: of the products.
        packed: number of the product and descriptor of every usable photo.
        files: number of the product and file of every photo, for a classifier that looks at pixels.
        words: of each product, for one that reads.
    """

    count: int
    packed: Sequence[tuple[int, bytes]] = ()
    files: Sequence[tuple[int, Any]] = ()
    words: Sequence[str] | None = None


def gather(
    classifier: Classifier,
    backbone_digest: str,
    entries: Sequence[int],
    *,
    words: Sequence[str] | None = None,
    shop: tuple[Catalogue, Mapping[int, Any]] | None = None,
) -> Material:
    """Fetch what is stored of some products.

    Args:
        classifier: any kind.
        backbone_digest: of the descriptors it reads.
        entries: primary keys of CatalogueEntry.
        words: of each, for a classifier that reads texts.
        shop: the adapter and the products by entry, for one that looks at pixels.
    """
    place = {entry: row for row, entry in enumerate(entries)}
    if "images" in classifier.needs and shop is not None:
        adapter, products = shop
        files = [(place[e], file) for e, one in products.items() for file in adapter.image_files(one)]
        return Material(len(entries), files=files)
    with metrics.timed("classify_read"):
        packed = [(place[entry], data) for entry, data in packed_photos(backbone_digest, entries)]
    return Material(len(entries), packed, words=words if "texts" in classifier.needs else None)


def opinion(classifier: Classifier, material: Material) -> Opinion:
    """Let a classifier judge products by what was fetched of them; arithmetic only, for any thread."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for rows, examples in _examples(material):
        with metrics.timed("classify_predict"):
            parts.append((rows, *classifier.judge(examples)))
    count = material.count
    if not parts:
        return Opinion(np.zeros((count, len(classifier.labels))), np.zeros(count), np.zeros(count, bool))
    rows = np.concatenate([part[0] for part in parts])
    probabilities = by_item(np.concatenate([part[1] for part in parts]), rows, count)
    known = by_item(np.concatenate([part[2] for part in parts]), rows, count)
    return Opinion(probabilities, known, np.bincount(rows, minlength=count) > 0)


def _examples(material: Material) -> Iterator[tuple[np.ndarray, Examples]]:
    """Photos in parts, each with the number of the product it shows."""
    if material.files:
        yield from _pixels(material.files)
    words = material.words
    for start in range(0, len(material.packed), PHOTOS_AT_ONCE):
        part = material.packed[start : start + PHOTOS_AT_ONCE]
        rows = np.array([row for row, _ in part], int)
        with metrics.timed("classify_unpack"):
            blocks = unpack([data for _, data in part])
        yield rows, Examples(blocks, None if words is None else [words[row] for row in rows])


def packed_photos(backbone_digest: str, entries: Sequence[int]) -> list[tuple[int, bytes]]:
    """Entry and packed descriptor of every usable photo of some products."""
    rows = Descriptor.objects.filter(backbone_digest=backbone_digest, image__entry_id__in=list(entries))
    usable = rows.exclude(image__state=CatalogueImage.State.REJECTED)
    return [(entry, bytes(data)) for entry, data in usable.values_list("image__entry_id", "data")]


def _pixels(files: Sequence[tuple[int, Any]]) -> Iterator[tuple[np.ndarray, Examples]]:
    """Decoded photos; one that cannot be read or decoded is left out."""
    with ThreadPoolExecutor(THREADS, thread_name_prefix="shopvision-pixels") as pool:
        for start in range(0, len(files), PIXELS_AT_ONCE):
            part = files[start : start + PIXELS_AT_ONCE]
            images: list[Image | None] = list(pool.map(lambda one: read_photo(one[1]), part))
            kept = [(row, image) for (row, _), image in zip(part, images, strict=True) if image is not None]
            if kept:
                yield np.array([row for row, _ in kept], int), Examples(images=[image for _, image in kept])
