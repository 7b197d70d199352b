"""N products with an embedding each: vectors around random centres, as alike as photos of one kind are."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from django.db import transaction

from bench.shop.models import Product
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage
from shopvision.index.models import Embedding, EncoderRelease
from shopvision.indexing import releases
from shopvision.indexing.follow import rebuild

KINDS = 50
SPREAD = 0.7  # length of the noise added to a unit centre: cosine about 0.67 within a kind
PAGE = 5000


def fill(size: int, photos: list[np.ndarray]) -> None:
    """Make the shop, its projection, its embeddings and its index.

    Args:
        size: products, one photo each.
        photos: float32 (D,) embeddings of real photos; the first products get these.
    """
    live = releases.live()
    rng = np.random.default_rng(0)
    centres = _unit(rng.standard_normal((KINDS, live.row.dim)))
    for first in range(0, size, PAGE):
        count = min(PAGE, size - first)
        noise = _unit(rng.standard_normal((count, live.row.dim))) * SPREAD
        vectors = _unit(centres[rng.integers(0, KINDS, count)] + noise).astype(np.float32)
        for row, vector in enumerate(photos[first : first + count]):
            vectors[row] = vector
        with transaction.atomic():
            _page(live.row, first, vectors)
    EncoderRelease.objects.filter(pk=live.row.pk).update(sequence=size)
    rebuild(live)


def _page(release: EncoderRelease, first: int, vectors: np.ndarray) -> None:
    numbers = range(first + 1, first + 1 + len(vectors))
    kinds = [f"kind {number % KINDS}" for number in numbers]
    state = CatalogueEntry.State.INDEXED
    Product.objects.bulk_create(
        Product(
            pk=n, name=f"Thing {n}", image=f"{n}.jpg", price=Decimal(n % 500) + 1, stock=n % 10, category=kind
        )
        for n, kind in zip(numbers, kinds, strict=True)
    )
    CatalogueEntry.objects.bulk_create(
        CatalogueEntry(
            pk=n,
            source="shop.product",
            object_id=str(n),
            group=f"shop.product:{n}",
            title=f"Thing {n}",
            text=f"thing {n} {kind}",
            categories=[{"id": kind, "name": kind, "ancestors": []}],
            price=Decimal(n % 500) + 1,
            in_stock=n % 10 > 0,
            state=state,
        )
        for n, kind in zip(numbers, kinds, strict=True)
    )
    CatalogueImage.objects.bulk_create(
        CatalogueImage(pk=n, entry_id=n, name=f"{n}.jpg", state=CatalogueImage.State.INDEXED) for n in numbers
    )
    Embedding.objects.bulk_create(
        Embedding(release=release, image_id=n, entry_id=n, vector=vector.tobytes(), sequence=n)
        for n, vector in zip(numbers, vectors.astype("<f2"), strict=True)
    )


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
