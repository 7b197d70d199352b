from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, override_settings
from jsonschema import Draft4Validator

from demo_shop.models import Product
from shopvision.api.schema import openapi
from shopvision.events.models import Event, ProductCount
from tests.api.test_schema import resolved
from tests.factories import demo_ref
from tests.ranking.conftest import mugs as mugs
from tests.ranking.conftest import nobody_was_here as nobody_was_here
from tests.settings import SHOPVISION
from tests.visitors import FIREFOX, agree

pytestmark = pytest.mark.django_db
API = "/vision/api/v1/"


@pytest.fixture
def browser(mugs: list[Any]) -> Client:
    """Of a visitor who looked at two mugs."""
    client = Client(headers={"user-agent": FIREFOX})
    for mug in mugs[:2]:
        client.get(mug.get_absolute_url())
    return client


def rerank(client: Client, **body: Any) -> Any:
    return client.post(API + "rerank/", body, content_type="application/json")


def own() -> list[str]:
    return [str(demo_ref(one)) for one in Product.objects.all()]


def keeps_to_the_schema(path: str, method: str, answer: Any) -> bool:
    schema = openapi()
    content = schema["paths"][path][method]["responses"]["200"]["content"]["application/json"]
    return not list(Draft4Validator(resolved(schema, content["schema"])).iter_errors(answer))


def test_products_come_back_in_the_visitors_order_each_once(browser: Client, mugs: list[Any]) -> None:
    answer = rerank(browser, products=own()).json()
    assert keeps_to_the_schema("/api/v1/rerank/", "post", answer)
    order = [row["product"] for row in answer["results"]]
    assert sorted(order) == sorted(own())
    assert {str(demo_ref(mug)) for mug in mugs} <= set(order[:6])
    assert (answer["ranked"], answer["count"]) == (True, len(own()))
    assert [row["position"] for row in answer["results"]] == list(range(len(own())))
    assert [own()[row["before"]] for row in answer["results"]] == order
    assert any(why.startswith("Looks like “red mug") for row in answer["results"][:6] for why in row["why"])


def test_what_the_page_shows_is_recorded_with_its_odds(browser: Client, settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "PRIVACY_MODE": "consent"}
    agree(browser)
    answer = rerank(browser, products=own(), limit=10, shown=4).json()
    assert len(answer["results"]) == 10
    rows = Event.objects.filter(kind="impression", listing=answer["id"]).order_by("position")
    assert [row.product for row in rows] == [row["product"] for row in answer["results"][:4]]
    assert all(row.propensity == 1.0 for row in rows)


def test_products_nobody_knows_are_ordered_too(browser: Client) -> None:
    answer = rerank(browser, products=["no.such:1", "no.such:2", *own()[:3]]).json()
    assert len(answer["results"]) == 5


@pytest.mark.parametrize(
    "body",
    [{}, {"products": []}, {"products": ["a.b:1", "a.b:1"]}, {"products": ["nonsense"]}, {"products": 3}],
)
def test_a_wrong_question_is_400(client: Client, body: Any) -> None:
    response = rerank(client, **body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


def test_when_ranking_fails_the_shops_order_is_the_answer(browser: Client, monkeypatch: Any) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("down")

    monkeypatch.setattr("shopvision.ranking.rerank.features", broken)
    answer = rerank(browser, products=own()).json()
    assert ([row["product"] for row in answer["results"]], answer["ranked"]) == (own(), False)


def test_recommendations_are_a_strip_and_counted_as_shown(browser: Client, mugs: list[Any]) -> None:
    response = browser.get(API + "recommendations/", {"placement": "for_you", "limit": 4})
    answer = response.json()
    assert keeps_to_the_schema("/api/v1/recommendations/", "get", answer)
    assert "no-store" in response["Cache-Control"]
    assert {str(demo_ref(mug)) for mug in mugs[2:]} <= {row["product"] for row in answer["results"]}
    assert answer["title"] == "Picked for you"
    shown = ProductCount.objects.filter(kind="impression").values_list("product", flat=True)
    assert {row["product"] for row in answer["results"]} <= set(shown)


@pytest.mark.parametrize("placement", ["similar", "alternatives", "together", "recently_viewed"])
def test_every_placement_answers(browser: Client, mugs: list[Any], placement: str) -> None:
    asked = {"placement": placement, "product": str(demo_ref(mugs[3]))}
    answer = browser.get(API + "recommendations/", asked).json()
    assert keeps_to_the_schema("/api/v1/recommendations/", "get", answer)
    assert (answer["placement"], answer["count"]) == (placement, len(answer["results"]))
    assert bool(answer["count"]) == (placement != "together")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "invalid"),
        ({"placement": "for_me"}, "unknown_placement"),
        ({"placement": "similar"}, "product_needed"),
        ({"placement": "together"}, "product_needed"),
        ({"placement": "for_you", "product": "nonsense"}, "invalid"),
        ({"placement": "for_you", "limit": "0"}, "invalid"),
    ],
)
def test_a_wrong_placement_is_400(mugs: list[Any], client: Client, asked: Any, code: str) -> None:
    response = client.get(API + "recommendations/", asked)
    assert (response.status_code, response.json()["code"]) == (400, code)
    if code == "unknown_placement":
        assert "recently_viewed, together, similar, alternatives" in response.json()["detail"]


def test_both_are_throttled(client: Client) -> None:
    with override_settings(SHOPVISION={**SHOPVISION, "RATES": {"browse": "2/min"}}):
        assert [rerank(client, products=["a.b:1"]).status_code for _ in range(3)] == [200, 200, 429]
        assert client.get(API + "recommendations/", {"placement": "for_you"}).status_code == 429
