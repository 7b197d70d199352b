"""Every address of ours answers every method in JSON; where nothing is, an error says so."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from shopvision.api.schema import openapi
from shopvision.api.urls import endpoints

pytestmark = pytest.mark.django_db
API = "/vision/api/v1/"
PARTS = {"ref": "shop.product:1", "id": "00000000-0000-4000-8000-000000000000"}
METHODS = ("get", "post", "put", "patch", "delete", "options")


def addresses() -> dict[str, str]:
    """By name, an address of each endpoint."""
    return {
        str(one.name): reverse(
            f"shopvision:{one.name}", kwargs={name: PARTS[name] for name in one.pattern.converters}
        )
        for one in endpoints
    }


def asked(method: str, address: str) -> Any:
    """The response, with an exception of ours answered as a visitor sees it."""
    return getattr(Client(raise_request_exception=False), method)(address)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rest", ["", "nothing/", "nothing", "search/more/", "jobs/1/nothing/", "search//"])
def test_where_nothing_is_the_error_is_ours(method: str, rest: str) -> None:
    answer = asked(method, API + rest)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_head_where_nothing_is_has_no_body() -> None:
    answer = asked("head", f"{API}nothing/")
    assert (answer.status_code, answer.content) == (404, b"")


def test_a_body_where_nothing_is_is_not_read() -> None:
    answer = Client().post(f"{API}nothing/", b"{" * 100, content_type="application/json")
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("name", ["search", "job", "similar", "status"])
def test_an_address_without_its_slash_is_still_sent_to_the_one_with_it(name: str) -> None:
    address = addresses()[name]
    answer = asked("get", address.removesuffix("/"))
    assert (answer.status_code, answer["Location"]) == (301, address)


def test_outside_the_api_the_shops_own_page_answers() -> None:
    assert "json" not in asked("get", "/vision/nothing/")["Content-Type"]


def test_a_method_that_an_address_does_not_take_is_405() -> None:
    answer = asked("put", f"{API}search/")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_the_schema_names_no_address_where_nothing_is() -> None:
    named = list(openapi()["paths"])
    assert not [way for way in named if "rest" in way or "nothing" in way]


@pytest.mark.parametrize("staff", [False, True])
@pytest.mark.parametrize("method", ["head", "options"])
def test_head_and_options_are_answered_everywhere(
    method: str, staff: bool, admin_client: Client, indexed_shop: Any
) -> None:
    client = admin_client if staff else Client()
    client.raise_request_exception = False
    said = {name: getattr(client, method)(address).status_code for name, address in addresses().items()}
    assert len(said) == len(endpoints) > 20
    assert {name: status for name, status in said.items() if status >= 500} == {}
