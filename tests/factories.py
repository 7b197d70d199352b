"""Products of both shops, with photos drawn from a seed."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import factory

from shopvision.types import ProductRef
from tests.drawing import photo_file


def demo_ref(product: Any) -> ProductRef:
    """Which product of the demo shop it is, as we name it."""
    return ProductRef("demo_shop.product", str(product.pk))


def article_ref(article: Any) -> ProductRef:
    """Which article of the second shop it is, as we name it."""
    return ProductRef("testshop.article", str(article.pk))


class CategoryFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = "demo_shop.Category"

    name = factory.Sequence(lambda number: f"Shelf {number}")
    slug = factory.Sequence(lambda number: f"shelf-{number}")


class DemoProductFactory(factory.django.DjangoModelFactory):
    """Thing number ``seed``, with one photo of it; ``seed`` counts up unless given."""

    class Meta:
        model = "demo_shop.Product"

    class Params:
        seed = factory.Sequence(lambda number: number)

    sku = factory.LazyFunction(lambda: uuid.uuid4().hex)  # unique across processes too
    title = factory.LazyAttribute(lambda one: f"thing {one.seed}")
    price = Decimal("10.00")
    stock = 3
    image = factory.LazyAttribute(lambda one: photo_file(one.seed))


class TopicFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = "testshop.Topic"

    label = factory.Sequence(lambda number: f"Topic {number}")


class PictureFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = "testshop.Picture"

    class Params:
        seed = factory.Sequence(lambda number: number)
        view = 0

    file = factory.LazyAttribute(lambda one: photo_file(one.seed, view=one.view))
    rank = 0


class ArticleFactory(factory.django.DjangoModelFactory):
    """An article of the second shop, with ``views`` pictures of one thing; no picture unless asked."""

    class Meta:
        model = "testshop.Article"
        skip_postgeneration_save = True

    headline = factory.Sequence(lambda number: f"article {number}")
    cost = Decimal("12.50")

    @factory.post_generation
    def views(self, create: bool, extracted: int | None, **kwargs: Any) -> None:
        seed = kwargs.get("seed", int(str(self.headline).split()[-1]))
        for view in range(extracted or 0) if create else ():
            PictureFactory(article=self, seed=seed, view=view, rank=view)
