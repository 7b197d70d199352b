"""A shop whose products have a colour for a category, so that a classifier can learn it from any pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from PIL import Image

from demo_shop.models import Category, Product, ProductPhoto
from shopvision.classification import classifier_releases
from shopvision.classification.classifier_training import train
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.pipeline import drain_outbox
from tests.factories import CategoryFactory, DemoProductFactory

SOURCE, TARGET = "demo_shop.product", "category"
COLOURS = {"red": (200, 40, 30), "green": (40, 160, 60), "blue": (40, 60, 190)}
SIDE = 112


def coloured(colour: tuple[int, int, int], seed: int) -> ContentFile[bytes]:
    """A photo of random patches of one colour: no two alike, all of one colour."""
    rng = np.random.default_rng(seed)
    patches = rng.uniform(0.4, 1.2, (8, 8, 1)) * np.array(colour)
    image = Image.fromarray(np.clip(patches, 0, 255).astype(np.uint8)).resize(
        (SIDE, SIDE), Image.Resampling.NEAREST
    )
    out = io.BytesIO()
    image.save(out, "PNG")
    return ContentFile(out.getvalue(), name=f"{seed}.png")


def shelf(name: str) -> Category:
    found: Category = Category.objects.filter(name=name).first() or CategoryFactory(name=name)
    return found


def make_product(name: str, seed: int, *, photos: int = 1, labelled: bool = True) -> Product:
    """A product of this colour; with ``labelled`` on the shelf of the same name."""
    product: Product = DemoProductFactory(
        title=f"thing {seed}", image=coloured(COLOURS[name], seed), category=shelf(name) if labelled else None
    )
    for extra in range(1, photos):
        ProductPhoto.objects.create(product=product, image=coloured(COLOURS[name], seed + 10_000 * extra))
    return product


def fill(
    each: int = 8, *, names: tuple[str, ...] = tuple(COLOURS), first: int = 0, photos: int = 1
) -> list[Product]:
    made = [
        make_product(name, first + 1000 * place + number, photos=photos)
        for place, name in enumerate(names)
        for number in range(each)
    ]
    drain_outbox()
    return made


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    classifier_releases.reset()
    yield
    classifier_releases.reset()


@pytest.fixture
def labelled(live_release: LiveRelease) -> list[Product]:
    """Eight indexed products of each colour, each on its shelf."""
    return fill()


@pytest.fixture
def trained(labelled: list[Product]) -> Any:
    """A live classifier of the category."""
    return train(SOURCE, TARGET)


@pytest.fixture
def reviewer(db: None) -> Any:
    return get_user_model().objects.create_superuser("rita", "r@example.com", "x")
