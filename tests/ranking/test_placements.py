"""Strips: what they hold, what they leave out, and that they are quiet when there is nothing to say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.template import Context, Template

from demo_shop.models import Product
from shopvision import listings, metrics
from shopvision.catalogue.constraints import Rules
from shopvision.catalogue.models import CatalogueEntry
from shopvision.events import tracking
from shopvision.exceptions import InvalidRequest
from shopvision.ranking import serving
from shopvision.ranking.api import RankedSequence
from shopvision.ranking.item_model.model import Knowledge
from shopvision.ranking.item_model.neighbours import Neighbours
from shopvision.ranking.ranker_releases import keep_knowledge
from shopvision.types import ProductRef
from tests.factories import demo_ref
from tests.ranking.test_api import looked_at
from tests.visitors import visitor

pytestmark = pytest.mark.django_db


def refs(listing: Any) -> list[ProductRef]:
    return [hit.product for hit in listing.hits]


def learn_what_goes_together(mugs: list[Any]) -> list[Any]:
    """The first mug is bought with the shop's first two products, the second one oftener; these three."""
    products = [*Product.objects.all()[:2], mugs[0]]
    ids = np.array([[-1, -1], [-1, -1], [1, 0]], np.int32)
    weights = np.array([[0, 0], [0, 0], [0.6, 0.2]], np.float32)
    known = Knowledge(tuple(str(demo_ref(one)) for one in products), {"together": Neighbours(ids, weights)})
    keep_knowledge(known, {}, 0.0)
    serving.forget()  # a process looks for it now and then only
    return products


def test_for_you_holds_what_looks_like_the_latest_and_not_what_was_seen(mugs: list[Any]) -> None:
    found = listings.recommended("for_you", request=looked_at(*mugs[:2]), limit=8)
    assert found.query["title"] == "Picked for you"
    assert {demo_ref(mugs[2]), demo_ref(mugs[3])} <= set(refs(found)[:4])
    assert not {demo_ref(mugs[0]), demo_ref(mugs[1])} & set(refs(found))
    first = next(hit for hit in found.hits if hit.product == demo_ref(mugs[2]))
    assert first.why[0].startswith("Looks like “red mug")
    assert first.facts["title"] == "red mug 2"


def test_for_somebody_unknown_it_is_what_is_popular(mugs: list[Any]) -> None:
    for _ in range(6):
        tracking.record(visitor(), "view", mugs[3])
    found = listings.recommended("for_you", request=visitor(), limit=4)
    assert found.query["title"] == "Popular now"
    assert refs(found)[0] == demo_ref(mugs[3])
    assert found.hits[0].why == ("Popular now",)


def test_because_you_viewed_names_the_latest_product_that_is_not_the_pages_own(mugs: list[Any]) -> None:
    request = looked_at(mugs[0], mugs[1])
    found = listings.recommended("because_you_viewed", request=request, product=demo_ref(mugs[1]), limit=4)
    assert found.query["title"] == "Because you looked at “red mug 0”"
    assert found.query["product"] == str(demo_ref(mugs[0]))
    assert {demo_ref(mugs[2]), demo_ref(mugs[3])} <= set(refs(found))
    assert not {demo_ref(mugs[0]), demo_ref(mugs[1])} & set(refs(found))


def test_recently_viewed_is_the_newest_first_sold_out_ones_too(mugs: list[Any]) -> None:
    Product.objects.filter(pk=mugs[2].pk).update(stock=0)
    Product.objects.filter(pk=mugs[1].pk).update(active=False)
    request = looked_at(mugs[0], mugs[1], mugs[2], mugs[0], mugs[3])
    found = listings.recommended("recently_viewed", request=request, product=demo_ref(mugs[3]))
    assert refs(found) == [demo_ref(mugs[0]), demo_ref(mugs[2])]
    assert {hit.why for hit in found.hits} == {("You looked at this",)}


def test_often_together_is_the_knowledges_word_and_needs_a_product(mugs: list[Any]) -> None:
    together = learn_what_goes_together(mugs)
    found = listings.recommended("together", request=visitor(), product=demo_ref(together[2]))
    assert refs(found) == [demo_ref(together[1]), demo_ref(together[0])]
    assert {hit.why for hit in found.hits} == {("Often together with “red mug 0”",)}
    with pytest.raises(InvalidRequest) as caught:
        listings.recommended("together", request=visitor())
    assert caught.value.code == "product_needed"


def test_what_goes_together_comes_up_in_a_listing_and_says_so(mugs: list[Any]) -> None:
    def listed() -> list[Any]:
        return list(listings.rank_queryset(Product.objects.order_by("-pk"), looked_at(mugs[0]))[0:34])

    before = listed()
    other = learn_what_goes_together(mugs)[1]  # in the shop's order it stands second last
    after = listed()
    place = after.index(other)
    assert place < before.index(other)
    assert str(after[place].shopvision_why) == "Often together with “red mug 0”"


def test_alternatives_to_what_is_sold_out_can_be_bought(mugs: list[Any]) -> None:
    found = listings.recommended("alternatives", request=visitor(), product=demo_ref(mugs[0]), limit=3)
    assert demo_ref(mugs[0]) not in refs(found)
    assert {demo_ref(mug) for mug in mugs[1:]} & set(refs(found))
    assert found.query["title"] == "Available alternatives"


@pytest.mark.parametrize("placement", ["for_you", "because_you_viewed", "recently_viewed"])
def test_what_is_gone_hidden_or_sold_out_is_not_shown(mugs: list[Any], placement: str) -> None:
    request = looked_at(mugs[0])
    tracking.record(request, "hide", mugs[3])
    Product.objects.filter(pk=mugs[1].pk).update(active=False)
    Product.objects.filter(pk=mugs[2].pk).update(stock=0)
    found = refs(listings.recommended(placement, request=request, limit=40))
    assert not {demo_ref(mug) for mug in mugs[1:]} & set(found)


@pytest.mark.parametrize("placement", ["for_you", "because_you_viewed"])
def test_a_ranker_that_cannot_be_made_leaves_strips_as_they_were_found(
    mugs: list[Any], placement: str, settings: Any
) -> None:
    settings.SHOPVISION["RANKING"]["ranker"] = "no.such.Ranker"
    found = listings.recommended(placement, request=looked_at(*mugs[:2]), limit=8)
    assert {demo_ref(mugs[2]), demo_ref(mugs[3])} <= set(refs(found))
    assert found.ordering is None


def test_a_placement_nobody_knows(mugs: list[Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        listings.recommended("for_me", request=visitor())
    assert caught.value.code == "unknown_placement"
    assert "for_you" in str(caught.value)


TAGS = Template(
    "{% load shopvision %}{% personalised products as mine %}"
    "{% for product in mine|slice:':6' %}[{{ product.title }}: {% why product %}]{% endfor %}"
    "{% recommended 'for_you' limit=3 %}{% recommended 'together' product=product %}"
)


def test_the_tags_show_listings_and_strips(mugs: list[Any]) -> None:
    context = {"request": looked_at(*mugs[:2]), "products": Product.objects.all(), "product": mugs[0]}
    text = TAGS.render(Context(context))
    assert text.count("red mug") > 4
    assert "You looked at this" in text
    assert "Picked for you" in text
    assert "Often together" not in text  # nothing is known yet


def test_the_tags_are_quiet_when_we_are_down(mugs: list[Any], monkeypatch: Any) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("down")

    monkeypatch.setattr("shopvision.ranking.recommendations.taste_of", broken)
    monkeypatch.setattr("shopvision.ranking.rerank.look", broken)
    monkeypatch.setattr("shopvision.ranking.recommendations.facts_now", broken)
    context = {"request": looked_at(*mugs[:2]), "products": Product.objects.all(), "product": mugs[0]}
    text = TAGS.render(Context(context))
    assert [part.split(":")[0] for part in text.split("[")[1:]] == [
        f"{p.title}" for p in Product.objects.all()[:6]
    ]
    assert metrics.snapshot()["counters"]["tag_failed"] == 2


def test_a_statement_of_a_strips_that_fails_leaves_the_shops_transaction_usable(
    mugs: list[Any], monkeypatch: Any
) -> None:
    wrong = CatalogueEntry.objects.extra(where=["no_such_column = 1"])
    monkeypatch.setattr("shopvision.ranking.recommendations.visible_refs", lambda *_: list(wrong))
    monkeypatch.setattr("shopvision.ranking.product_features._rows", lambda *_: list(wrong))
    context = {"request": looked_at(*mugs[:2]), "products": Product.objects.all(), "product": mugs[0]}
    assert "red mug" not in TAGS.render(Context(context))
    assert Product.objects.count() == 26


def test_a_strip_that_takes_too_long_is_shown_as_it_was_found(mugs: list[Any], settings: Any) -> None:
    request = looked_at(*mugs[:2])
    settings.SHOPVISION["RANKING"]["budget_ms"] = 0.001
    found = listings.recommended("for_you", request=request, limit=8)
    assert {demo_ref(mugs[2]), demo_ref(mugs[3])} <= set(refs(found)[:4])  # found by the latest product alone
    assert found.ordering is None
    counters = metrics.snapshot()["counters"]
    assert counters["rank_own_order"] == counters["rank_over_budget"] == 1
    assert counters["recall_cut_short"] == 1


def test_the_same_rules_have_the_same_effect_on_search_similar_strips_and_listings(mugs: list[Any]) -> None:
    """The last mug is pinned and the first one hidden: it comes first, and the hidden one after all others."""
    rules = Rules((str(demo_ref(mugs[3])),), frozenset({str(demo_ref(mugs[0]))}))
    with mugs[1].image.open() as file:
        photo = file.read()
    found = {
        "search": refs(listings.search_by_photo(photo, rules=rules, limit=100)),
        "similar": refs(listings.similar_products(demo_ref(mugs[1]), rules=rules, limit=100)),
        "strip": refs(listings.recommended("for_you", request=looked_at(mugs[1]), rules=rules, limit=100)),
        "listing": [
            demo_ref(one)
            for one in RankedSequence(
                Product.objects.order_by("pk"), looked_at(mugs[1]), pinned=[mugs[3]], hidden=[mugs[0]]
            )
        ],
    }
    for name, order in found.items():
        assert order[0] == demo_ref(mugs[3]), name
        assert order[-1] == demo_ref(mugs[0]), name
        assert len(order) > 10, name
