"""Recall on held-out photos, on shops whose right answer is known."""

from __future__ import annotations

from typing import Any

import pytest

from shopvision.catalogue.models import CatalogueEntry
from shopvision.indexing import encoder_releases
from shopvision.indexing.pipeline import drain_outbox
from shopvision.search.held_out_photos import evaluate_held_out_photos
from tests.factories import ArticleFactory, PictureFactory
from tests.testshop.shopvision_catalogue import ArticleCatalogue

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(live_release: Any) -> list[Any]:
    """Ten articles with two photos of one thing each."""
    articles = [ArticleFactory(views=2) for _ in range(10)]
    drain_outbox()
    return articles


def evaluate(**options: Any) -> dict[str, Any]:
    return evaluate_held_out_photos(encoder_releases.live(), **options)


def test_every_photo_finds_its_product_by_the_other_one(shop: list[Any]) -> None:
    found = evaluate()
    assert (found["photos"], found["products"], found["eligible_photos"], found["missing"]) == (20, 10, 20, 0)
    assert found["recall@1"] == found["recall@5"] == 1.0
    assert found["recall@1_interval"] == [1.0, 1.0]


def test_a_product_whose_photos_show_two_things_is_missed_with_both(shop: list[Any]) -> None:
    """Its first photo is of what nothing else shows, its second of the thing of article 0: 20 of 22 are found."""
    odd = ArticleFactory(views=1, views__seed=900)
    PictureFactory(article=odd, seed=0, view=5, rank=1)
    drain_outbox()
    found = evaluate()
    assert (found["photos"], found["products"]) == (22, 11)
    assert found["recall@1"] == round(20 / 22, 4)
    low, high = found["recall@1_interval"]
    assert low < 20 / 22 < high <= 1


def test_recall_is_told_by_category_where_there_are_five_photos(shop: list[Any]) -> None:
    for number, entry in enumerate(CatalogueEntry.objects.order_by("pk")):
        name = "few" if number < 2 else "many"
        entry.categories = [{"id": name, "name": name, "ancestors": []}]
        entry.save()
    assert evaluate()["by_category"] == {"many": {"photos": 16, "recall@1": 1.0, "recall@5": 1.0}}


def test_a_single_photo_and_a_file_that_two_products_share_are_no_queries(shop: list[Any]) -> None:
    ArticleFactory(views=1)
    for seed in (701, 702):
        PictureFactory(article=ArticleFactory(views=1, views__seed=700), seed=seed, view=1, rank=1)
    drain_outbox()
    assert evaluate()["eligible_photos"] == 20 + 2


def test_what_a_visitor_cannot_see_is_neither_searched_for_nor_found(
    shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):  # each hidden article shows the thing of one of the shop's
        article = ArticleFactory(headline=f"hidden {number}")
        for view in (7, 8):
            PictureFactory(article=article, seed=number, view=view, rank=view)
    drain_outbox()
    assert evaluate()["photos"] == 26
    seen = lambda self, queryset, context: queryset.exclude(headline__startswith="hidden")  # noqa: E731
    monkeypatch.setattr(ArticleCatalogue, "visible", seen)
    found = evaluate()
    assert (found["photos"], found["recall@1"]) == (20, 1.0)


def test_a_sample_is_drawn_by_its_seed(shop: list[Any]) -> None:
    for _ in range(5):
        ArticleFactory(views=2)
    drain_outbox()
    found = evaluate(sample=25, seed=1)
    assert (found["photos"], found["eligible_photos"], found["sample"], found["seed"]) == (25, 30, 25, 1)
    assert evaluate(sample=25, seed=1) == found


def test_too_few_photos_say_how_many_are_missing(live_release: Any) -> None:
    for _ in range(3):
        ArticleFactory(views=2)
    drain_outbox()
    assert evaluate() == {
        "photos": 6,
        "products": 3,
        "eligible_photos": 6,
        "sample": 500,
        "seed": 0,
        "missing": 14,
        "release": str(live_release.row),
        "tuning": None,
    }
