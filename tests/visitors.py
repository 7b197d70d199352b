"""Visitors as the gate sees them: requests and clients with a choice, or none."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.sessions.backends.cache import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from shopvision.privacy import registry
from shopvision.privacy.consent import PURPOSES, put_cookies
from shopvision.privacy.consent_changes import decide

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def visitor(*purposes: str, **headers: str) -> HttpRequest:
    """A request with a session of its own; with purposes, of somebody who agreed to them."""
    request = RequestFactory().get("/", **{"HTTP_USER_AGENT": FIREFOX, **headers})
    request.session = SessionStore()
    if purposes:
        choice, _ = decide(request, purposes, source="page")
        carry(request, choice)
    return request


def carry(request: HttpRequest, choice: Any) -> None:
    """Give the request the cookies its choice leads to."""
    response = HttpResponse()
    put_cookies(response, request, choice)
    request.COOKIES.update({name: one.value for name, one in response.cookies.items()})


def again(request: HttpRequest, **headers: str) -> HttpRequest:
    """The same browser's next request."""
    following = RequestFactory().get("/", **{"HTTP_USER_AGENT": FIREFOX, **headers})
    following.COOKIES.update(request.COOKIES)
    following.session = request.session
    return following


def agree(client: Client, *purposes: str) -> Any:
    """Decide through the API, as the page's script would; the answer."""
    body = {"purposes": dict.fromkeys(purposes or PURPOSES, True)}
    return client.put("/vision/api/v1/consent/", body, content_type="application/json")


def personal_rows() -> dict[str, int]:
    """Rows of every table that could say something of a visitor, sums included."""
    tables = [
        *(label for label, reason in registry.reasons().items() if not reason),
        "shopvision.ProductCount",
    ]
    return {label: apps.get_model(label)._default_manager.count() for label in tables}
