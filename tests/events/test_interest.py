from __future__ import annotations

import json
import random
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import signing

from shopvision.events import interest
from shopvision.events.interest import Visit
from tests.visitors import visitor

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_a_visit_keeps_its_name_until_half_an_hour_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    request, now = visitor(), [1_000_000.0]
    monkeypatch.setattr(interest.time, "time", lambda: now[0])
    first = Visit(request).name()
    now[0] += 1800
    assert Visit(request).name() == first
    now[0] += 1801
    assert Visit(request).name() != first


def test_a_product_counts_once_a_day_and_only_so_many_do() -> None:
    request = visitor()
    assert Visit(request).counts_today("shop.product:1", "2026-11-25")
    assert not Visit(request).counts_today("shop.product:1", "2026-11-25")
    assert Visit(request).counts_today("shop.product:1", "2026-11-26")
    counted = [Visit(request).counts_today(f"shop.product:{n}", "2026-11-26") for n in range(100)]
    assert sum(counted) == interest.MOST_COUNTED - 1


def test_what_a_session_holds_fits_into_a_cookie() -> None:
    request = visitor()
    visit = Visit(request)
    visit.name()
    for number in range(200):
        visit.remember("basket_remove", f"catalogue.product:{10**6 + number}", NOON, f"key-{number}", 2.0)
        visit.counts_today(f"catalogue.product:{number}", "2026-11-25")
    assert len(json.dumps(dict(request.session.items()))) < 3500  # uncompressed


def test_long_keys_fit_into_a_cookie_too() -> None:
    """Signed and compressed as ``signed_cookies`` does; a browser takes 4,096 bytes, its name among them."""
    request, chance = visitor(), random.Random(7)
    visit, letters = Visit(request), string.ascii_letters + string.digits
    visit.name()
    for number in range(100):
        key = "".join(chance.choices(letters, k=200))
        visit.remember("basket_remove", f"catalogue.product:{key}", NOON, f"key-{number}", 2.0)
        visit.counts_today(f"catalogue.product:{key}", "2026-11-25")
        visit.reached(f"mark-{number}")
    signed = signing.dumps(dict(request.session.items()), compress=True)
    assert len(signed) < 3500
    assert visit.products()[0][0] == f"catalogue.product:{key}"
    assert len(visit.products()) == 7


def test_numbers_as_keys_leave_room_for_all_that_is_remembered() -> None:
    visit = Visit(visitor())
    for number in range(50):
        visit.remember("view", f"catalogue.product:{10**6 + number}", NOON, f"key-{number}")
    assert len(visit.products()) == interest.MOST_PRODUCTS


def test_without_a_session_nothing_is_remembered_and_nothing_breaks() -> None:
    visit = Visit(None)
    visit.remember("view", "shop.product:1", NOON, "some-key-1")
    assert visit.name() == ""
    assert not visit.counts_today("shop.product:1", "2026-11-25")


@pytest.mark.parametrize("strange", ["text", 7, []])
def test_a_session_with_something_strange_in_it_starts_anew(strange: Any) -> None:
    request = visitor()
    request.session[interest.SESSION] = strange
    assert list(Visit(request).products()) == []
