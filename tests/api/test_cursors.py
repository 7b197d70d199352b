import re
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from shopvision.api.views import storefront
from shopvision.types import Filter, ProductRef
from tests.api.conftest import SEARCH, Backend

PAGES = "/vision/api/v1/searches/"


def first(client: Client, limit: int = 4) -> dict[str, Any]:
    body: dict[str, Any] = client.post(
        SEARCH, {"image": SimpleUploadedFile("p.jpg", b"x"), "limit": limit}
    ).json()
    return body


def products(page: dict[str, Any]) -> list[str]:
    return [found["product"] for found in page["results"]]


def test_following_next_gives_every_product_once(client: Client, backend: Backend) -> None:
    page = first(client)
    seen, pages = products(page), 1
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += products(page)
        pages += 1
    assert seen == [f"shop.product:{n}" for n in range(10)]
    assert pages == 3


def test_following_previous_leads_back_to_the_first_page(client: Client, backend: Backend) -> None:
    begin = first(client)
    third = client.get(client.get(begin["next"]).json()["next"]).json()
    second = client.get(third["previous"]).json()
    back = client.get(second["previous"]).json()
    assert products(back) == products(begin)
    assert back["previous"] is None


PAGE = "/vision/photo/"


def test_the_page_without_javascript_narrows_and_turns_pages(client: Client, backend: Backend) -> None:
    form = {
        "category": "12",
        "price_min": "",
        "price_max": "20",
        "in_stock": "true",
        "filters": "",
        "text": "navy",
    }
    page = client.post(PAGE, {"image": SimpleUploadedFile("p.jpg", b"x"), **form}).content.decode()
    (call,) = backend.calls
    assert call["where"] == Filter(categories=frozenset({"12"}), price_max=Decimal(20), in_stock=True)
    assert call["text"] == "navy"
    assert '<option value="12" selected>Shoes (10)</option>' in page
    assert 'value="20"' in page


@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        ({"text": "navy"}, 400, "choose a photo first"),
        ({"image": SimpleUploadedFile("p.jpg", b"x"), "text": "n" * 201}, 400, "200"),
        (
            {"image": SimpleUploadedFile("p.jpg", b"x"), "price_min": "9", "price_max": "1", "text": "navy"},
            400,
            "price",
        ),
    ],
)
def test_what_is_wrong_is_said_on_the_page_and_the_form_keeps_its_words(
    client: Client, backend: Backend, form: dict[str, Any], status: int, words: str
) -> None:
    answer = client.post(PAGE, form)
    page = answer.content.decode()
    assert answer.status_code == status
    assert 'role="alert"' in page
    assert words in page
    assert 'enctype="multipart/form-data"' in page
    assert f'value="{form["text"]}"' in page


def test_a_page_that_is_gone_says_so_above_the_form(client: Client, backend: Backend) -> None:
    answer = client.get(PAGE, {"search": "s_nonsense"})
    assert answer.status_code == 404
    assert 'role="alert"' in answer.content.decode()


def test_the_page_of_a_product_narrows_without_its_photo(client: Client, backend: Backend) -> None:
    page = client.get(PAGE, {"product": "shop.product:1", "category": "", "price_max": "9"}).content.decode()
    assert backend.calls[0]["where"] == Filter(price_max=Decimal(9))
    assert '<input type="hidden" name="product" value="shop.product:1">' in page


def test_next_and_previous_lead_through_the_pages(
    client: Client, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storefront, "LIMIT", 4)
    page = client.post(PAGE, {"image": SimpleUploadedFile("p.jpg", b"x")}).content.decode()
    assert 'rel="prev"' not in page
    for shown in (range(4, 8), range(8, 10)):
        (link,) = re.findall(r'href="([^"]+)" rel="next"', page)
        page = client.get(PAGE + unescape(link)).content.decode()
        assert [f"Shoe {n}" in page for n in range(10)] == [n in shown for n in range(10)]
    assert 'rel="next"' not in page
    assert 'rel="prev"' in page
    assert client.get(PAGE, {"search": "s_x"}).status_code == 404


def test_a_search_can_be_asked_for_again_and_forgotten(client: Client, backend: Backend) -> None:
    address = PAGES + first(client)["id"] + "/"
    assert products(client.get(address).json()) == [f"shop.product:{n}" for n in range(10)]
    response = client.delete(address)
    assert (response.status_code, response.content) == (204, b"")
    assert client.get(address).json()["code"] == "not_found"
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    "made_up", ["s_", "s_x", "7", "00000000000000000000000000000007", "%00", "s_0.x", "é"]
)
def test_a_made_up_id_is_404_without_a_question_to_the_backend(
    client: Client, backend: Backend, made_up: str
) -> None:
    response = client.get(f"{PAGES}{made_up}/")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert client.delete(f"{PAGES}{made_up}/").status_code == 404
    assert backend.calls == []


def test_a_changed_signature_is_404(client: Client, backend: Backend) -> None:
    id = first(client)["id"]
    other = id[:-1] + ("A" if id[-1] != "A" else "B")
    assert client.get(f"{PAGES}{other}/").status_code == 404


@pytest.mark.parametrize("cursor", ["4-4", "4-4:forged", "%00", "0-1000000:x"])
def test_a_forged_cursor_is_400(client: Client, backend: Backend, cursor: str) -> None:
    response = client.get(f"{PAGES}{first(client)['id']}/?cursor={cursor}")
    assert response.status_code == 400
    assert response.json()["code"] in ("invalid_cursor", "invalid")


def test_a_cursor_of_another_search_is_400(client: Client, backend: Backend) -> None:
    page = first(client)
    backend.id = "00000000-0000-0000-0000-000000000008"
    other = first(client)
    cursor = page["next"].partition("?")[2]
    assert client.get(f"{PAGES}{other['id']}/?{cursor}").json()["code"] == "invalid_cursor"


def test_similar_takes_a_product_filters_and_alternatives(client: Client, backend: Backend) -> None:
    query = "?alternatives=1&category=3&category=4&limit=2"
    response = client.get(f"/vision/api/v1/products/shop.product:a/b/similar/{query}")
    assert response.status_code == 200
    (call,) = backend.calls
    assert call["ref"] == ProductRef("shop.product", "a/b")
    assert call["alternatives"] is True
    assert call["where"] == Filter(categories=frozenset({"3", "4"}))
    assert call["limit"] == 2


@pytest.mark.parametrize("ref", ["x", ":", "a.b:", ":1", "%00:1", "a.b:%00"])
def test_a_ref_that_names_nothing_is_404(client: Client, backend: Backend, ref: str) -> None:
    response = client.get(f"/vision/api/v1/products/{ref}/similar/")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_wrong_parameter_is_400(client: Client, backend: Backend) -> None:
    response = client.get("/vision/api/v1/products/a.b:1/similar/?limit=x")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
