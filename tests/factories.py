"""Products of both shops, with photos drawn from a seed."""

from __future__ import annotations

from typing import Any

import factory

from shopvision.types import ProductRef

from .drawing import photo_file


def demo_ref(product: Any) -> ProductRef:
    """Which product it is, as we name it."""
    return ProductRef("demo_shop.product", str(product.pk))


class DemoProductFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = "demo_shop.Product"

    class Params:
        seed = factory.Sequence(lambda number: number)

    name = factory.LazyAttribute(lambda one: f"thing {one.seed}")
    image = factory.LazyAttribute(lambda one: photo_file(one.seed))
