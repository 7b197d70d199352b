"""What a visitor sees: two products looked at, and the next listing is another one."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from demo_shop.models import Product
from shopvision.events.models import Event
from tests.visitors import FIREFOX, personal_rows

pytestmark = pytest.mark.django_db


def browser() -> Client:
    return Client(headers={"user-agent": FIREFOX})


def shown(client: Client, path: str = "/") -> list[int]:
    """Primary keys on a page, in order."""
    return [product.pk for product in client.get(path).context["page"]]


def test_two_mugs_looked_at_bring_the_other_mugs_to_the_next_listing(mugs: list[Any]) -> None:
    visitor, stranger = browser(), browser()
    own = list(Product.objects.values_list("pk", flat=True))
    assert shown(visitor) == own[:24]
    for mug in mugs[:2]:
        assert visitor.get(mug.get_absolute_url()).status_code == 200
    page = visitor.get("/")
    order = [product.pk for product in page.context["page"]]
    assert {mug.pk for mug in mugs} <= set(order[:6])
    assert "Looks like “red mug" in page.content.decode()
    assert "You looked at this" in page.content.decode()
    assert shown(stranger) == own[:24]
    assert sorted(order + shown(visitor, "/?page=2")) == own
    rows = personal_rows()
    assert rows.pop("shopvision.ProductCount") > 0  # sums name nobody
    assert set(rows.values()) == {0}
    assert Event.objects.count() == 0


def test_the_reason_is_given_in_the_visitors_language(mugs: list[Any]) -> None:
    visitor = browser()
    for mug in mugs[:2]:
        visitor.get(mug.get_absolute_url())
    with translation.override("zh-hans"):
        page = visitor.get("/").content.decode()
    assert "您看过的“red mug" in page
