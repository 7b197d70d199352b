from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.test import RequestFactory

from demo_shop.models import Product
from shopvision.catalogue.adapter import catalogues
from shopvision.listings import personalised_listing, rank_queryset
from shopvision.ranking import reasons
from shopvision.ranking.interactions import Profile
from shopvision.ranking.item_model.model import NOTHING, Knowledge
from shopvision.ranking.item_model.neighbours import Neighbours
from shopvision.ranking.order_cache import Reason
from shopvision.ranking.reasons import in_words
from shopvision.types import ProductRef
from tests.ranking.drawn import nobody
from tests.ranking.test_api import looked_at

KNOWN = Knowledge(
    ("a", "b", "c"),
    {
        "next": Neighbours(np.array([[1], [-1], [-1]], np.int32), np.array([[0.2], [0], [0]], np.float32)),
        "together": Neighbours(np.array([[2], [1], [-1]], np.int32), np.array([[0.9], [0], [0]], np.float32)),
    },
)


def acts(*items: int, kinds: tuple[str, ...] = ()) -> Profile:
    count = len(items)
    nothing = np.full(count, np.nan, np.float32)
    return Profile(
        np.array(items, np.int32),
        tuple(f"p{one}" for one in items),
        kinds or ("view",) * count,
        np.zeros(count, np.float32),
        nothing,
        nothing,
        np.full(count, -1, np.int32),
    )


def test_the_product_itself_then_what_goes_with_it_then_what_looks_like_it() -> None:
    """Candidates b, c, d, a; a was looked at; d (new to the knowledge) looks like it, c does a little."""
    likeness = np.array([[0.1], [0.6], [0.8], [1.0]], np.float32)
    found = reasons.strongest(KNOWN, acts(0), np.array([1, 2, 3, 0], np.int32), likeness, 0.5)
    assert found == {
        0: Reason("after", "p0"),
        1: Reason("together", "p0"),
        2: Reason("looks", "p0"),
        3: Reason("seen", "p0"),
    }


def test_nothing_is_said_of_what_was_hidden_and_to_nobody() -> None:
    numbers = np.array([1, 2, 3], np.int32)
    ones = np.ones((3, 1), np.float32)
    assert reasons.strongest(KNOWN, acts(0, kinds=("hide",)), numbers, ones, 0.5) == {}
    assert reasons.strongest(NOTHING, nobody(), numbers, None, 0.5) == {}


def test_a_product_without_a_photo_looks_like_nothing() -> None:
    nothing = np.full((2, 1), np.nan, np.float32)
    assert reasons.strongest(NOTHING, acts(7), np.array([0, 1], np.int32), nothing, 0.5) == {}


def test_a_category_is_a_reason_unless_all_are_of_it() -> None:
    liked, names = np.array([5, -1], np.int32), ("Mugs", "", "Hats", "Hats")
    assert reasons.same_category(np.array([5, -1, 6, 6]), liked, names) == {0: Reason("category", "Mugs")}
    assert reasons.same_category(np.array([5, 5, 5, -1]), liked, names) == {}


def test_popular_is_the_top_tenth_and_new_is_a_fortnight() -> None:
    """Ten products; 9 acts is the 90th percentile's upper neighbour; ages 3 and 14 days are new, 15 is not."""
    popularity = np.array([0, 0, 0, 0, 0, 0, 1, 2, 3, 9], np.float32)
    ages = np.array([3, 14, 15, *[np.nan] * 7], np.float32)
    found = reasons.general(popularity, ages)
    assert found == {9: Reason("popular"), 0: Reason("new"), 1: Reason("new")}
    few = np.array([0, 0, 4.9], np.float32)
    assert reasons.general(few, np.full(3, np.nan, np.float32)) == {}
    assert reasons.general(np.zeros(3, np.float32), np.ones(3, np.float32)) == {}


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
