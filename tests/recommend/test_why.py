"""Reasons in words: what a visitor is told of the shop's products, and what is not said any more."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import RequestFactory

from demo_shop.models import Product
from shopvision.catalogue.adapter import catalogues
from shopvision.listings import personalised_listing, rank_queryset
from shopvision.recommend.order import Reason
from shopvision.recommend.why import in_words
from shopvision.types import ProductRef

from .test_grips import looked_at

pytestmark = pytest.mark.django_db


def said(rows: Any) -> str:
    return " ".join(str(getattr(row, "shopvision_why", "")) for row in rows)


def test_a_product_that_the_shop_hides_now_is_not_named(mugs: list[Any]) -> None:
    """Recalled, say: neither in a new order nor in the one that lies in the cache."""
    request = looked_at(*mugs[:2])
    refs = [ProductRef("demo_shop.product", str(row.pk)) for row in [*mugs[2:], *Product.objects.all()[:5]]]
    before = said(rank_queryset(Product.objects.all(), request)[:6])
    assert "Looks like “red mug" in before
    Product.objects.filter(pk__in=[one.pk for one in mugs[:2]]).update(active=False)
    kept = said(rank_queryset(Product.objects.all(), request)[:6])
    fresh = said(rank_queryset(Product.objects.filter(active=True), request)[:6])
    again = " ".join(word for hit in personalised_listing(refs, request=request).hits for word in hit.why)
    for words in (kept, fresh, again):
        assert "Looks like something you looked at" in words
        assert "red mug" not in words


def test_the_shop_is_asked_for_whom_it_is(mugs: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """``visible`` gets the request, as at a search: a shop with several sites hides by it."""
    asked: list[Any] = []
    shop = catalogues()["demo_shop.product"]

    def visible(queryset: Any, context: Any) -> Any:
        asked.append(context)
        return queryset.exclude(pk=mugs[0].pk)

    monkeypatch.setattr(shop, "visible", visible)
    request = RequestFactory().get("/")
    reasons = {str(place): Reason("looks", f"demo_shop.product:{mugs[place].pk}") for place in (0, 1)}
    words = in_words(reasons | {"c": Reason("category", "Mugs")}, request)
    assert words == {
        "0": "Looks like something you looked at",
        "1": "Looks like “red mug 1”, which you looked at",
        "c": "Also in “Mugs”",
    }
    assert asked == [request]
