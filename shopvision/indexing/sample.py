"""A few of the shop's own photos, spread over the catalogue: to calibrate on, to make augmented views of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models.fields.files import FieldFile
from PIL.Image import Image

from .. import telemetry
from ..catalogue.adapter import Catalogue, catalogues
from ..images.decode import decode
from .photos import limits, read


def sample_photos(limit: int) -> list[Image]:
    """Up to ``limit`` decoded photos, one or more a product, spread evenly over every catalogue."""
    shops = list(catalogues().values())
    share = -(-limit // max(1, len(shops)))
    found = [image for shop in shops for image in _some_of(shop, share)]
    return found[:limit]


def _some_of(shop: Catalogue, limit: int) -> list[Image]:
    keys = list(shop.queryset().order_by("pk").values_list("pk", flat=True))
    step = max(1, len(keys) // max(1, limit))
    picked = shop.get_many([str(key) for key in keys[::step][:limit]])
    files = [_files(shop, product) for product in picked.values()]
    images: list[Image] = []
    for file in _interleaved(files):
        image = read_photo(file)
        if image is not None:
            images.append(image)
        if len(images) >= limit:
            break
    return images


def _files(shop: Catalogue, product: Any) -> list[FieldFile]:
    try:
        return shop.image_files(product)
    except Exception as error:  # noqa: BLE001 - the shop's own code may raise anything
        telemetry.log.warning("photos of %s are not in the sample", shop.ref(product), exc_info=error)
        return []


def _interleaved(files: list[list[FieldFile]]) -> Iterator[FieldFile]:
    """Every product's first photo, then every product's second, and so on."""
    for place in range(max(map(len, files), default=0)):
        yield from (row[place] for row in files if place < len(row))


def read_photo(file: FieldFile) -> Image | None:
    """A photo from the shop's storage, decoded; None (and a log line) when it cannot be had."""
    try:
        bounds = limits()
        return decode(read(file, bounds.max_bytes), bounds)
    except Exception as error:  # noqa: BLE001 - any storage backend may raise anything
        telemetry.log.info("photo %s is left out of the sample: %s", file.name, error)
        return None
