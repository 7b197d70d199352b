import base64
import json
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from shopvision.exceptions import ImageRejected, InvalidRequest, TemporaryFailure
from shopvision.types import EVERYTHING, Filter, ProductRef, Region
from tests.api.conftest import SEARCH, Backend
from tests.images.corpus import encoded, picture

PHOTO = encoded(picture(), "JPEG")


def photo(data: bytes = PHOTO) -> SimpleUploadedFile:
    return SimpleUploadedFile("photo.jpg", data, "image/jpeg")


def post_json(client: Client, body: Any, **extra: Any) -> Any:
    return client.post(SEARCH, json.dumps(body), content_type="application/json", **extra)


def test_an_answer_has_exactly_the_documented_keys(client: Client, backend: Backend) -> None:
    response = client.post(SEARCH, {"image": photo(), "limit": 1})
    body = response.json()
    assert response.status_code == 200
    assert body.pop("id").startswith("s_")
    assert body.pop("next").startswith("/vision/api/v1/searches/s_")
    assert body == {
        "took_ms": 43.2,
        "encoder": "lite0@7",
        "index": {"as_of": "2026-11-24T02:30:11Z", "size": 10},
        "query": {
            "regions": [],
            "category": {"id": "12", "name": "Shoes", "probability": 0.9, "source": "predicted"},
            "stored": False,
        },
        "match": {"level": "strong", "probability": 0.912},
        "count": 10,
        "previous": None,
        "results": [
            {
                "product": "shop.product:0",
                "url": "/p/0/",
                "title": "Shoe 0",
                "image": "/media/0.jpg",
                "price": "49.00",
                "in_stock": True,
                "similarity": 0.8333,
                "percentile": 99.7,
                "why": ["same shape", "same colour: navy"],
                "region": [0.2, 0.1, 0.8, 0.9],
            }
        ],
        "facets": {"category": [{"id": "12", "name": "Shoes", "count": 10}]},
    }


def test_stages_come_as_server_timing_and_nothing_is_cached(client: Client, backend: Backend) -> None:
    response = client.post(SEARCH, {"image": photo()})
    assert response["Server-Timing"] == "encode;dur=12.35, total;dur=43.21" or response[
        "Server-Timing"
    ].startswith("encode;dur=12.3")
    assert response["Cache-Control"] == "no-store"


def test_all_fields_of_a_form_reach_the_search(client: Client, backend: Backend) -> None:
    form = {
        "image": photo(),
        "crop": "0.1,0.2,0.9,0.8",
        "text": "navy",
        "category": ["12", "14"],
        "price_min": "10",
        "price_max": "49.50",
        "in_stock": "true",
        "limit": "5",
    }
    assert client.post(SEARCH, form).status_code == 200
    (call,) = backend.calls
    assert call["data"] == PHOTO
    assert call["region"] == Region(0.1, 0.2, 0.9, 0.8)
    assert call["text"] == "navy"
    assert call["limit"] == 5
    assert call["where"] == Filter(
        categories=frozenset({"12", "14"}), price_min=Decimal(10), price_max=Decimal("49.50"), in_stock=True
    )


def test_all_fields_of_json_reach_the_search(client: Client, backend: Backend) -> None:
    body = {
        "image": base64.b64encode(PHOTO).decode(),
        "crop": [0, 0, 0.5, 1],
        "category": "12",
        "in_stock": False,
    }
    assert post_json(client, body).status_code == 200
    (call,) = backend.calls
    assert call["data"] == PHOTO
    assert call["region"] == Region(0, 0, 0.5, 1)
    assert call["where"] == Filter(categories=frozenset({"12"}), in_stock=False)


def test_the_shops_filters_reach_the_search_in_every_spelling(client: Client, backend: Backend) -> None:
    wanted = Filter(values=(("colour", frozenset({"navy", "red"})), ("maker", frozenset({"a=b"}))))
    texts = ["colour=navy", "colour=red", "maker=a=b"]
    encoded = base64.b64encode(PHOTO).decode()
    client.post(SEARCH, {"image": photo(), "filters": texts})
    post_json(client, {"image": encoded, "filters": texts})
    post_json(client, {"image": encoded, "filters": {"colour": ["navy", "red"], "maker": "a=b"}})
    client.get("/vision/api/v1/products/shop.product:1/similar/", {"filters": texts})
    assert [call["where"] for call in backend.calls] == [wanted] * 4


def test_a_filter_that_no_catalogue_names_is_said_to_be_none(client: Client, backend: Backend) -> None:
    for wrong in (["size=4"], ["colour"], {"size": ["4"]}, "", {"": "4"}):
        answer = post_json(client, {"product": "shop.product:4", "filters": wrong})
        assert answer.status_code == 400, wrong
        assert answer.json()["code"] == "invalid"
    assert backend.calls == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"filters": None}, "filters: nothing is chosen"),
        ({"filters": []}, "filters: nothing is chosen"),
        ({"filters": {}}, "filters: nothing is chosen"),
        ({"filters": 4}, "filters: it takes name=value texts"),
        ({"filters": True}, "filters: it takes name=value texts"),
        ({"filters": [None]}, "filters[0]: "),
        ({"filters": [["colour=navy"]]}, "filters[0]: "),
        ({"filters": {"colour": []}}, "filters.colour: it takes a value"),
        ({"filters": {"colour": None}}, "filters.colour: it takes a value"),
        ({"filters": {"colour": {"navy": 1}}}, "filters.colour: it takes a value"),
        ({"filters": {"colour": ["navy", ["red"]]}}, "filters.colour: it takes a value"),
        ({"category": []}, "category: nothing is chosen"),
        ({"category": None}, "category: nothing is chosen"),
        ({"crop": [0, 0, 1, 1e-9]}, "crop: 0.0,0.0,1.0,1e-09 is too small: it takes 1% of each side"),
        ({"crop": "0.5,0.5,0.509,1"}, "crop: 0.5,0.5,0.509,1.0 is too small"),
    ],
)
def test_a_field_that_says_nothing_is_refused_with_its_name(
    client: Client, backend: Backend, wrong: Any, words: str
) -> None:
    """``{"colour": null}`` became the value "None", ``[]`` every product."""
    answer = post_json(client, {"image": base64.b64encode(PHOTO).decode(), **wrong})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["detail"].startswith(words)
    assert backend.calls == []


def test_a_hundredth_of_each_side_is_a_crop(client: Client, backend: Backend) -> None:
    assert client.post(SEARCH, {"image": photo(), "crop": "0.25,0.5,0.26,0.51"}).status_code == 200


def test_nothing_asked_for_filters_nothing(client: Client, backend: Backend) -> None:
    """A missing box of a form is no "out of stock only"."""
    client.post(SEARCH, {"image": photo()})
    assert backend.calls[0]["where"] == EVERYTHING
    assert backend.calls[0]["region"] is None
    assert backend.calls[0]["limit"] == 24


def test_a_data_url_is_base64_too(client: Client, backend: Backend) -> None:
    text = "data:image/jpeg;base64," + base64.b64encode(PHOTO).decode()
    assert post_json(client, {"image": text}).status_code == 200
    assert backend.calls[0]["data"] == PHOTO


def test_a_product_can_be_searched_by(client: Client, backend: Backend) -> None:
    assert post_json(client, {"product": "shop.product:4:8"}).status_code == 200
    assert backend.calls[0]["ref"] == ProductRef("shop.product", "4:8")


@pytest.mark.parametrize("key", ["4 ", " 4", "4\n8", "4/8", "\n"])
def test_a_key_is_taken_as_it_is(client: Client, backend: Backend, key: str) -> None:
    """Spaces and line breaks are part of it, in a body and in an address."""
    assert post_json(client, {"product": f"shop.product:{key}"}).status_code == 200
    address = f"/vision/api/v1/products/{quote(f'shop.product:{key}')}/similar/"
    assert client.get(address).status_code == 200
    assert [call["ref"] for call in backend.calls] == [ProductRef("shop.product", key)] * 2


def test_a_product_has_no_part_to_search_for(client: Client, backend: Backend) -> None:
    answer = post_json(client, {"product": "shop.product:4", "crop": [0, 0, 0.5, 1]})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["detail"].startswith("crop: it is part of an image")
    assert backend.calls == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"image": "!!", "limit": 5},
        {"image": 5},
        {"image": None},
        {"image": "aGk=", "product": "a.b:1"},
        {"product": "no-colon"},
        {"product": "a.b:1", "limit": 0},
        {"product": "a.b:1", "limit": 101},
        {"product": "a.b:1", "crop": "0,0,1"},
        {"product": "a.b:1", "crop": [0, 0, 0, 1]},
        {"product": "a.b:1", "crop": [0, 0, "x", 1]},
        {"product": "a.b:1", "crop": [True, 0, 1, 1]},
        {"product": "a.b:1", "crop": {"x0": 1}},
        {"product": "a.b:1", "crop": "nan,0,1,1"},
        {"product": "a.b:1", "price_min": "NaN"},
        {"product": "a.b:1", "price_min": -1},
        {"product": "a.b:1", "price_min": 5, "price_max": 4},
        {"product": "a.b:1", "category": [["x"]]},
        {"product": "a.b:1", "category": ["x"] * 51},
        {"product": "a.b:1", "text": "\0"},
        {"product": "a.b:1", "text": "\ud800"},
        {"product": "a.b:\ud800"},
        {"product": "a.b:1", "text": "x" * 201},
        {"product": "a.b:1", "in_stock": "perhaps"},
        [],
        "text",
        None,
        7,
    ],
)
def test_a_wrong_question_is_400_invalid(client: Client, backend: Backend, body: Any) -> None:
    response = post_json(client, body)
    assert response.status_code == 400
    assert set(response.json()) == {"detail", "code"}
    assert response.json()["code"] == "invalid"
    assert backend.calls == []


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 200_000, b'{"limit": NaN}', b""])
def test_what_is_no_json_is_400(client: Client, backend: Backend, body: bytes) -> None:
    response = client.post(SEARCH, body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 200_000, "the body is nested too deeply"),
        (b'{"limit": ' + b"9" * 5000 + b"}", "a number has 5,000 digits"),
    ],
)
def test_what_python_cannot_read_is_said_without_pythons_words(
    client: Client, backend: Backend, body: bytes, words: str
) -> None:
    response = client.post(SEARCH, body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert response.json()["detail"].endswith(words)


def test_a_form_without_its_boundary_is_400(client: Client, backend: Backend) -> None:
    response = client.post(SEARCH, b"xx", content_type="multipart/form-data")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "image/jpeg", "x"])
def test_another_content_type_is_415(client: Client, backend: Backend, content_type: str) -> None:
    response = client.post(SEARCH, b"xx", content_type=content_type)
    assert (response.status_code, response.json()["code"]) == (415, "unsupported_media_type")


def test_another_method_is_405_and_says_which_are_allowed(client: Client, backend: Backend) -> None:
    response = client.get(SEARCH)
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert response["Allow"] == "POST, OPTIONS" or response["Allow"] == "POST"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ImageRejected("too_large", "m"), 413, "too_large"),
        (ImageRejected("too_many_pixels", "m"), 413, "too_many_pixels"),
        (ImageRejected("unsupported_format", "m"), 415, "unsupported_format"),
        (ImageRejected("empty", "m"), 400, "empty"),
        (ImageRejected("truncated", "m"), 422, "truncated"),
        (ImageRejected("animated", "m"), 422, "animated"),
        (ImageRejected("too_small", "m"), 422, "too_small"),
        (InvalidRequest("m"), 400, "invalid"),
        (InvalidRequest("m", code="not_found"), 404, "not_found"),
        (InvalidRequest("m", code="conflict"), 409, "conflict"),
        (TemporaryFailure("m", code="warming", retry_after_seconds=7), 503, "warming"),
    ],
)
def test_each_failure_has_its_status_and_code(
    client: Client, backend: Backend, error: Exception, status: int, code: str
) -> None:
    backend.fails = error
    response = client.post(SEARCH, {"image": photo()})
    assert (response.status_code, response.json()) == (status, {"detail": "m", "code": code})
    assert response.get("Retry-After") == ("7" if status == 503 else None)


def test_a_fault_of_our_own_is_not_swallowed(client: Client, backend: Backend) -> None:
    backend.fails = KeyError("a bug")
    with pytest.raises(KeyError):
        client.post(SEARCH, {"image": photo()})


def test_a_signed_in_visitor_needs_no_csrf_token(db: None, backend: Backend) -> None:
    """The widget posts from any page, cached ones included; nothing is changed in the visitor's name."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.create_user("ann", password="x"))
    assert client.post(SEARCH, {"image": photo()}).status_code == 200
    assert backend.calls[0]["context"].user.username == "ann"


def test_a_visitor_without_cookies_is_anonymous_to_the_catalogue(backend: Backend) -> None:
    response = Client(enforce_csrf_checks=True).post(SEARCH, {"image": photo()})
    assert response.status_code == 200
    assert backend.calls[0]["context"].user.is_anonymous
    assert response.cookies == {}
