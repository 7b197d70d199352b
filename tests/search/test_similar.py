from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client

from demo_shop.models import Product
from shopvision import listings
from shopvision.exceptions import InvalidRequest
from shopvision.indexing.pipeline import drain_outbox
from shopvision.types import ProductRef
from tests.factories import ArticleFactory, PictureFactory, article_ref, demo_ref
from tests.search.asking import titles
from tests.testshop.models import Article, Bargain, Boot

pytestmark = pytest.mark.django_db


def test_similar_products_leave_out_the_product_and_its_variants(live_release: Any) -> None:
    master = ArticleFactory(views=2)
    ArticleFactory(views=1, master=master)
    other = ArticleFactory(views=1)
    sold_out = ArticleFactory(views=1, units_left=0)
    drain_outbox()
    ref = article_ref(master)
    assert set(titles(listings.similar_products(ref))) == {other.headline, sold_out.headline}
    assert titles(listings.similar_products(ref, alternatives=True)) == [other.headline]
    with pytest.raises(InvalidRequest) as error:
        listings.similar_products(ProductRef("testshop.article", str(uuid.uuid4())))
    assert error.value.code == "not_found"


@pytest.mark.parametrize("model", [Bargain, Boot])
def test_the_strip_knows_a_row_of_a_proxy_or_of_a_model_made_from_the_products(
    live_release: Any, model: type[Article]
) -> None:
    product, _ = (model.objects.create(headline=name) for name in ("first", "second"))
    for row in model.objects.all():
        PictureFactory(article=row)
    drain_outbox()
    page = Template("{% load shopvision %}{% similar_products product %}")
    assert "second" in page.render(Context({"product": product}))


def test_a_product_hidden_from_who_asks_is_as_unknown_as_one_that_never_was(live_release: Any) -> None:
    shown, hidden = ArticleFactory(views=1), ArticleFactory(views=1, hidden_from="fr")
    drain_outbox()
    french, german = SimpleNamespace(country="fr"), SimpleNamespace(country="de")
    assert titles(listings.similar_products(article_ref(hidden), context=german)) == [shown.headline]
    refusals = []
    for ref in (article_ref(hidden), ProductRef("testshop.article", str(uuid.uuid4()))):
        with pytest.raises(InvalidRequest) as error:
            listings.similar_products(ref, context=french)
        refusals.append((error.value.code, str(error.value).replace(str(ref), "it")))
    assert refusals[0] == refusals[1]


def test_words_narrow_what_is_similar_as_they_narrow_a_search_by_photo(live_release: Any) -> None:
    asked, cup = ArticleFactory(views=1, headline="Tea pot 1"), ArticleFactory(views=1, headline="Tea cup 2")
    ArticleFactory(views=1, headline="Red scarf 3")
    drain_outbox()
    ref = article_ref(asked)
    assert titles(listings.similar_products(ref, text="TEA")) == [cup.headline]
    assert titles(listings.similar_products(ref, text="no such word")) == []


def test_over_rest_neither_way_tells_of_a_hidden_product(indexed_shop: list[Any], client: Client) -> None:
    hidden = demo_ref(indexed_shop[0])
    Product.objects.filter(pk=indexed_shop[0].pk).update(active=False)
    ways = (
        client.get(f"/vision/api/v1/products/{hidden}/similar/"),
        client.post("/vision/api/v1/search/", {"product": str(hidden)}),
    )
    for answer in ways:
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
