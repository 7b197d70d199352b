from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps

from demo_shop.models import Category, Product, ProductPhoto
from shopvision.catalogue import adapter as adapter_module
from shopvision.catalogue import signals as product_signals
from shopvision.catalogue.adapter import Catalogue, catalogue, catalogues, register
from shopvision.exceptions import Misconfigured
from tests.contracts.catalogue import CatalogueContract
from tests.drawing import photo_file
from tests.factories import ArticleFactory, DemoProductFactory, TopicFactory
from tests.testshop.models import Article, Topic


class TestDemoShop(CatalogueContract):
    """Integer keys, one image field and further views beside it."""

    @pytest.fixture(autouse=True)
    def _folder(self, data_dir: Any) -> None:
        pass

    def shop(self) -> Catalogue:
        return catalogue("demo_shop.product")

    def make(self, **values: Any) -> Any:
        product = DemoProductFactory(**values)
        ProductPhoto.objects.create(product=product, image=photo_file(77))
        return Product.objects.get(pk=product.pk)


class TestSecondShop(CatalogueContract):
    """UUID keys, photos in a related table, other names."""

    @pytest.fixture(autouse=True)
    def _folder(self, data_dir: Any) -> None:
        pass

    def shop(self) -> Catalogue:
        return catalogue("testshop.article")

    def make(self, **values: Any) -> Any:
        return Article.objects.get(pk=ArticleFactory(views=2, **values).pk)


@pytest.mark.django_db
def test_categories_carry_their_ancestors(data_dir: Any) -> None:
    top = Category.objects.create(name="Clothing", slug="clothing")
    shelf = Category.objects.create(name="Hats", slug="hats", parent=top)
    (found,) = catalogue("demo_shop.product").categories(DemoProductFactory(category=shelf))
    assert (found.id, found.name, found.ancestors) == (str(shelf.pk), "Hats", (str(top.pk),))


@pytest.mark.django_db
def test_a_product_may_have_several_categories(data_dir: Any) -> None:
    root = TopicFactory(label="Root")
    topics = [Topic.objects.create(label=name, parent=root) for name in ("A", "B")]
    article = ArticleFactory()
    article.topics.set(topics)
    found = catalogue("testshop.article").categories(article)
    assert {one.name for one in found} == {"A", "B"}
    assert {one.ancestors for one in found} == {(str(root.pk),)}


@pytest.mark.django_db
def test_a_category_in_words_is_a_path(data_dir: Any) -> None:
    class ByColour(Catalogue):
        category = "colour"
        title = "title"

    (found,) = ByColour(Product).categories(DemoProductFactory(colour="Men > Tops > Hoodies"))
    assert found.name == "Hoodies"
    assert found.ancestors == ("Men", "Men > Tops")


@pytest.mark.django_db
def test_variants_share_their_masters_group(data_dir: Any) -> None:
    master = ArticleFactory()
    variant = ArticleFactory(master=master)
    shop = catalogue("testshop.article")
    assert shop.group_of(variant) == shop.group_of(master) == f"testshop.article:{master.pk}"


@pytest.mark.django_db
@pytest.mark.parametrize(("units", "expected"), [(0, False), (-1, False), (3, True)])
def test_stock_counts_above_zero(data_dir: Any, units: int, expected: bool) -> None:
    assert catalogue("testshop.article").in_stock(ArticleFactory(units_left=units)) is expected


@pytest.mark.django_db
def test_a_missing_price_is_none_and_tags_leave_the_words(data_dir: Any) -> None:
    article = ArticleFactory(cost=None, body_html="<p>Warm &amp; <b>Soft</b></p>")
    facts = catalogue("testshop.article").facts(article)
    assert facts.price is None
    assert "soft" in facts.text
    assert "<b>" not in facts.text


def test_a_wrong_name_says_the_nearest_right_one() -> None:
    class Wrong(Catalogue):
        images = "pictures__fil"
        title = "headlin"

    problems = Wrong(Article).problems()
    assert any("did you mean 'file'" in words for words in problems)
    assert any("did you mean 'headline'" in words for words in problems)


@pytest.mark.django_db
def test_asking_for_a_wrong_name_is_misconfigured(data_dir: Any) -> None:
    class Wrong(Catalogue):
        title = "headlin"

    with pytest.raises(Misconfigured, match="headline"):
        Wrong(Article).facts(ArticleFactory())


def test_a_model_is_registered_once() -> None:
    with pytest.raises(Misconfigured, match="already"):
        register(Product)(Catalogue)
    assert set(catalogues()) == {"demo_shop.product", "testshop.article"}


def test_an_unknown_source_lists_the_known_ones() -> None:
    with pytest.raises(Misconfigured, match=r"demo_shop\.product"):
        catalogue("no.such")


@pytest.mark.django_db
def test_a_price_is_a_decimal_of_the_shops_own(data_dir: Any) -> None:
    assert catalogue("demo_shop.product").price_of(DemoProductFactory(price=Decimal("9.95"))) == Decimal(
        "9.95"
    )


def test_an_adapter_registered_before_we_are_ready_is_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(product_signals, "connect", lambda adapter: heard.append(adapter.source))
    monkeypatch.setattr(adapter_module, "on_register", [])
    apps.get_app_config("shopvision").ready()
    assert set(heard) == {"demo_shop.product", "testshop.article"}


def test_a_product_whose_address_cannot_be_made_has_none() -> None:
    class Broken:
        pk = id = 1

        def get_absolute_url(self) -> str:
            raise LookupError("no route")

    assert catalogue("demo_shop.product").url(Broken()) == ""
