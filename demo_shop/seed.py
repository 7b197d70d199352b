"""Fills an empty demo shop: the built-in catalogue, or a folder of the owner's choice."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path

from django.core.files.base import ContentFile
from django.db import transaction
from PIL import Image

from demo_shop import art
from demo_shop.importer import import_items, read_folder, shelf
from demo_shop.models import Product, ProductPhoto

QUERY_EVERY = 9  # every ninth thing gets a phone photo that is kept out of the shop
SOLD_OUT_EVERY = 11
UNSORTED_EVERY = 8  # every eighth thing has no category and no colour yet: something to suggest


def seed_folder(folder: Path) -> tuple[int, list[tuple[Path, str]], list[str]]:
    """Import a folder; how many products came, its query photos with their product's title, and what was skipped.

    Raises:
        ImportProblem: the folder is not one we can read.
    """
    found = read_folder(folder)
    queries = [(path, item.title) for item in found.items for path in item.queries]
    return import_items(found.items), queries, found.skipped


def seed_drawn(queries: Path, progress: Callable[[int, int], None]) -> tuple[int, list[tuple[Path, str]]]:
    """Draw the built-in catalogue; how many products came, and phone photos with their product's title.

    Args:
        queries: folder for the phone photos.
        progress: called with (done, all).
    """
    things = art.things()
    queries.mkdir(parents=True, exist_ok=True)
    known = set(Product.objects.values_list("sku", flat=True))
    fresh = [(number, thing) for number, thing in enumerate(things) if _sku(thing) not in known]
    chosen = [(thing, queries / f"{_sku(thing)}.jpg") for thing in things[QUERY_EVERY // 2 :: QUERY_EVERY]]
    lacking = [(thing, path) for thing, path in chosen if not path.exists()]
    if fresh or lacking:  # drawing is the costly part
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            drawn = pool.map(_drawn, [thing for _, thing in fresh], chunksize=4)
            for done, ((number, thing), views) in enumerate(zip(fresh, drawn, strict=True), start=1):
                _add(number, thing, views)
                progress(done, len(fresh))
            photos = pool.map(_phone, [thing for thing, _ in lacking])
            for (_, path), photo in zip(lacking, photos, strict=True):
                path.write_bytes(photo)
    return len(fresh), [(path, thing.title) for thing, path in chosen]


def _unsorted(number: int) -> bool:
    return number % UNSORTED_EVERY == UNSORTED_EVERY - 1


def _sku(thing: art.Thing) -> str:
    return f"demo-{thing.seed:04d}"


def _drawn(thing: art.Thing) -> list[bytes]:
    return [_jpeg(art.draw_view(thing, view)) for view in range(art.VIEWS)]


def _phone(thing: art.Thing) -> bytes:
    return _jpeg(art.phone_photo(thing))


def _jpeg(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()


def _add(number: int, thing: art.Thing, views: list[bytes]) -> None:
    with transaction.atomic():
        product = Product(
            sku=_sku(thing),
            title=thing.title,
            description=thing.description,
            category=None if _unsorted(number) else shelf(art.SHELVES[thing.kind]),
            colour="" if _unsorted(number) else thing.colour,
            price=Decimal(str(thing.price)),
            stock=0 if number % SOLD_OUT_EVERY == SOLD_OUT_EVERY - 1 else 3 + number % 17,
        )
        product.image.save(f"{_sku(thing)}-0.jpg", ContentFile(views[0]), save=False)
        product.save()
        for place, view in enumerate(views[1:], start=1):
            photo = ProductPhoto(product=product)
            photo.image.save(f"{_sku(thing)}-{place}.jpg", ContentFile(view), save=True)
