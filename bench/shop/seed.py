"""N products with an embedding each: vectors around random centres, as alike as photos of one kind are."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from django.core.files.base import ContentFile
from django.db import transaction

from bench.shop.models import Product
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage
from shopvision.encoders.base import Descriptors
from shopvision.encoders.descriptor import pack
from shopvision.index.models import Descriptor, Embedding, EncoderRelease
from shopvision.indexing import encoder_releases
from shopvision.indexing.change_feed import rebuild
from shopvision.tuning.background import background, family_background

KINDS = 50
SPREAD = 0.7  # length of the noise added to a unit centre: cosine about 0.67 within a kind
PAGE = 5000


def begin(photos: list[bytes]) -> None:
    """The first products, with these photos: enough for a release to calibrate int8 on."""
    for number, data in enumerate(photos, start=1):
        _product(number).image.save(f"{number}.jpg", ContentFile(data), save=True)


def fill(size: int, described: Descriptors) -> None:
    """Make the shop, its projection, its descriptors, its embeddings and its index.

    Args:
        size: products, one photo each.
        described: real photos; the first products get their embeddings, and all the products their
            descriptors in turn, so that reasons are worked out as in a shop of this size.
    """
    live = encoder_releases.live()
    photos = live.projection.embed(described)
    packed = [pack(described, row) for row in range(len(photos))]
    rng = np.random.default_rng(0)
    centres = _unit(rng.standard_normal((KINDS, live.row.dim)))
    for first in range(0, size, PAGE):
        count = min(PAGE, size - first)
        noise = _unit(rng.standard_normal((count, live.row.dim))) * SPREAD
        vectors = _unit(centres[rng.integers(0, KINDS, count)] + noise).astype(np.float32)
        own = photos[first : first + count]
        vectors[: len(own)] = own
        with transaction.atomic():
            _page(live.row, first, vectors, packed)
    products = np.arange(len(photos))
    judged = {
        "quantiles": background(vectors, np.arange(count)),
        "families": family_background(described, products),
    }
    EncoderRelease.objects.filter(pk=live.row.pk).update(sequence=size, background=judged)
    rebuild(live)


def _product(number: int) -> Product:
    return Product(
        pk=number,
        name=f"Thing {number}",
        image=f"{number}.jpg",
        price=Decimal(number % 500) + 1,
        stock=number % 10,
        category=f"kind {number % KINDS}",
    )


def _page(release: EncoderRelease, first: int, vectors: np.ndarray, packed: list[bytes]) -> None:
    numbers = range(first + 1, first + 1 + len(vectors))
    kinds = [f"kind {number % KINDS}" for number in numbers]
    state = CatalogueEntry.State.INDEXED
    Product.objects.bulk_create(map(_product, numbers), ignore_conflicts=True)
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
    Descriptor.objects.bulk_create(
        Descriptor(image_id=n, backbone_digest=release.backbone_digest, data=packed[n % len(packed)])
        for n in numbers
    )
    Embedding.objects.bulk_create(
        Embedding(release=release, image_id=n, entry_id=n, vector=vector.tobytes(), sequence=n)
        for n, vector in zip(numbers, vectors.astype("<f2"), strict=True)
    )


def _unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
