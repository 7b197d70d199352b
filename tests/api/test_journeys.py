"""The API on the real journeys: a small shop, indexed, searched over HTTP."""

import base64
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from jsonschema import Draft4Validator

from shopvision.api.errors import IMAGE_STATUS
from shopvision.api.schema import openapi
from shopvision.api.throttles import VisitorThrottle
from shopvision.search.models import StoredSearch
from tests.api.conftest import SEARCH
from tests.api.test_schema import resolved
from tests.factories import demo_ref
from tests.images import corpus

API = "/vision/api/v1/"
pytestmark = pytest.mark.django_db


def search(client: Client, product: Any, **form: Any) -> Any:
    with product.image.open("rb") as file:
        return client.post(SEARCH, {"image": SimpleUploadedFile("p.jpg", file.read()), **form})


def test_a_products_own_photo_finds_it_first(client: Client, indexed_shop: list[Any]) -> None:
    for product in indexed_shop:
        body = search(client, product).json()
        assert body["results"][0]["product"] == str(demo_ref(product))
        assert body["count"] == len(body["results"]) == len(indexed_shop)


def test_words_narrow_a_search_by_product_as_one_by_photo(client: Client, indexed_shop: list[Any]) -> None:
    asked, other = indexed_shop[0], indexed_shop[-1]
    ref, words = str(demo_ref(asked)), {"text": other.title.upper()}
    found = [
        client.post(SEARCH, {"product": ref, **words}),
        client.get(f"{API}products/{ref}/similar/", words),
        client.get("/vision/photo/", {"product": ref, **words}),
    ]
    assert [answer.status_code for answer in found] == [200] * 3
    for answer in found[:2]:
        assert [one["product"] for one in answer.json()["results"]] == [str(demo_ref(other))]
    page = found[2].content.decode()
    assert page.count('class="sv-card"') == 1
    assert f'value="{words["text"]}"' in page
    assert client.post(SEARCH, {"product": ref, "text": "nothing like it"}).json()["count"] == 0


@pytest.mark.parametrize("address", [SEARCH, "/vision/photo/"])
def test_a_part_in_which_nothing_can_be_seen_is_refused(
    client: Client, indexed_shop: list[Any], address: str
) -> None:
    for crop, status, words in (
        ("0,0,1,0.000000001", 400, "is too small: it takes 1% of each side"),
        ("0.5,0.5,0.52,0.52", 422, "its longer side needs at least 16"),
    ):
        with indexed_shop[0].image.open("rb") as file:
            form = {"image": SimpleUploadedFile("p.jpg", file.read()), "crop": crop}
        answer = client.post(address, form)
        assert answer.status_code == status
        assert words in answer.content.decode()


def test_a_real_answer_keeps_to_the_schema(client: Client, indexed_shop: list[Any]) -> None:
    schema = openapi()
    answer = Draft4Validator(resolved(schema, {"$ref": "#/components/schemas/ListingAnswer"}))
    found = search(client, indexed_shop[0], limit=3)
    answer.validate(found.json())
    answer.validate(client.get(found.json()["next"]).json())
    answer.validate(client.get(f"{API}products/{demo_ref(indexed_shop[0])}/similar/").json())
    assert "encode;dur=" in found["Server-Timing"]


def test_price_and_stock_are_the_shops_of_this_moment(client: Client, indexed_shop: list[Any]) -> None:
    type(indexed_shop[0]).objects.filter(pk=indexed_shop[0].pk).update(price="77.70", stock=0)
    (first, *_) = search(client, indexed_shop[0]).json()["results"]
    assert (first["price"], first["in_stock"]) == ("77.70", False)


def test_a_page_that_the_shop_has_hidden_whole_does_not_end_the_pages(
    client: Client, indexed_shop: list[Any]
) -> None:
    first = search(client, indexed_shop[0], limit=4).json()
    second = client.get(first["next"]).json()
    keys = [one["product"].partition(":")[2] for one in second["results"]]
    type(indexed_shop[0]).objects.filter(pk__in=keys).update(active=False)
    hidden = client.get(first["next"]).json()
    assert hidden["results"] == []
    last = client.get(hidden["next"]).json()
    assert len(last["results"]) == 4
    assert last["next"] is None
    type(indexed_shop[0]).objects.filter(pk=last["results"][0]["product"].partition(":")[2]).update(
        active=False
    )
    assert client.get(hidden["next"]).json()["next"] is None


def test_a_cache_that_is_down_stops_no_search(
    client: Client, indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*args: Any, **kwargs: Any) -> None:
        raise ConnectionError("the cache does not answer")

    monkeypatch.setattr(VisitorThrottle.cache, "get", down)
    assert search(client, indexed_shop[0]).status_code == 200


def test_pages_hold_every_product_once_and_no_photo_is_kept(client: Client, indexed_shop: list[Any]) -> None:
    page = search(client, indexed_shop[0], limit=5).json()
    seen = [one["product"] for one in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [one["product"] for one in page["results"]]
    assert sorted(seen) == sorted(str(demo_ref(product)) for product in indexed_shop)
    assert "image" not in {field.name for field in StoredSearch._meta.get_fields()}


def test_a_forgotten_search_is_gone(client: Client, indexed_shop: list[Any]) -> None:
    address = f"{API}searches/{search(client, indexed_shop[0]).json()['id']}/"
    assert client.get(address).status_code == 200
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    assert client.delete(address).status_code == 204


def test_no_embedding_is_ever_in_an_answer(client: Client, indexed_shop: list[Any]) -> None:
    """No list of numbers longer than a box."""

    def longest(node: Any) -> int:
        if isinstance(node, dict):
            return max((longest(value) for value in node.values()), default=0)
        if isinstance(node, list):
            numbers = len(node) if all(isinstance(one, (int, float)) for one in node) else 0
            return max([numbers, *(longest(one) for one in node)])
        return 0

    assert longest(search(client, indexed_shop[0]).json()) == 4


@pytest.mark.parametrize(
    "ref", ["demo_shop.product:999999", "no.such:1", "demo_shop.product:x", "a.b:\u00e9"]
)
def test_an_unknown_product_is_404(client: Client, indexed_shop: list[Any], ref: str) -> None:
    for response in (
        client.get(f"{API}products/{ref}/similar/"),
        client.post(SEARCH, json.dumps({"product": ref}), content_type="application/json"),
    ):
        assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_shop_without_an_index_is_warming(client: Client, data_dir: Any) -> None:
    photo = base64.b64encode(corpus.encoded(corpus.picture(), "JPEG")).decode()
    response = client.post(SEARCH, json.dumps({"image": photo}), content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (503, "warming")
    assert int(response["Retry-After"]) >= 1
    assert client.get(API + "health/ready/").json()["code"] == "warming"


def test_ready_once_indexed(client: Client, indexed_shop: list[Any]) -> None:
    assert client.get(API + "health/ready/").status_code == 200


HOSTILE = [name for name, (code, _) in corpus.FILES.items() if code and name not in corpus.MEASURED]


def test_hostile_photos_get_their_codes_from_the_real_search(client: Client, indexed_shop: list[Any]) -> None:
    for name in HOSTILE:
        code, make = corpus.FILES[name]
        response = client.post(SEARCH, {"image": SimpleUploadedFile("photo.jpg", make())})
        assert (name, response.json().get("code")) == (name, code)
        assert response.status_code == IMAGE_STATUS.get(code, 422)


ODD = ["very wide jpeg", "very tall png", "cmyk jpeg", "palette with alpha", "one-bit png", "broken exif"]


@pytest.mark.parametrize("name", ODD)
def test_odd_photos_are_searched_with(client: Client, indexed_shop: list[Any], name: str) -> None:
    response = client.post(SEARCH, {"image": SimpleUploadedFile("photo.jpg", corpus.FILES[name][1]())})
    assert response.status_code == 200
    assert response.json()["results"]
