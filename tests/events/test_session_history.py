from __future__ import annotations

import json
import random
import sqlite3
import string
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import signing
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.utils import timezone

from shopvision import metrics
from shopvision.events import session_history
from shopvision.events.session_history import Visit
from tests.visitors import visitor

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def test_a_visit_keeps_its_name_until_half_an_hour_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    request, now = visitor(), [1_000_000.0]
    monkeypatch.setattr(session_history.time, "time", lambda: now[0])
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
    assert sum(counted) == session_history.MOST_COUNTED - 1


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
    assert len(visit.products()) == session_history.MOST_PRODUCTS


def test_without_a_session_nothing_is_remembered_and_nothing_breaks() -> None:
    visit = Visit(None)
    visit.remember("view", "shop.product:1", NOON, "some-key-1")
    assert visit.name() == ""
    assert not visit.counts_today("shop.product:1", "2026-11-25")


@pytest.mark.parametrize("strange", ["text", 7, []])
def test_a_session_with_something_strange_in_it_starts_anew(strange: Any) -> None:
    request = visitor()
    request.session[session_history.SESSION] = strange
    assert list(Visit(request).products()) == []


pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def locked(settings: Any) -> Iterator[Any]:
    """Another process writes, and goes on writing; calling it ends that."""
    if connection.vendor != "sqlite":
        pytest.skip("needs SQLite: other databases lock rows")
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.db"
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute("PRAGMA busy_timeout = 3000")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    yield lambda: other.execute("BEGIN IMMEDIATE")
    other.close()
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA busy_timeout").fetchone()[0] == 3000  # as the shop had it
        cursor.execute(f"PRAGMA busy_timeout = {before}")


def test_a_page_comes_soon_while_somebody_else_writes(locked: Any) -> None:
    def page(request: Any) -> HttpResponse:
        Visit(request).remember("view", "demo_shop.product:1", timezone.now(), "a key")
        return HttpResponse("the product")

    locked()
    started = time.perf_counter()
    answer = SessionMiddleware(page)(visitor())
    assert (answer.status_code, answer.content) == (200, b"the product")
    assert time.perf_counter() - started < 2
    assert metrics.snapshot()["counters"]["visit_not_kept"] >= 1


def test_what_the_shop_keeps_in_the_session_is_saved_as_ever(locked: Any) -> None:
    request = visitor()
    request.session = SessionStore()
    Visit(request).name()
    request.session["basket"] = [7]
    locked()
    with pytest.raises(OperationalError):
        request.session.save()


def test_without_a_lock_both_are_kept() -> None:
    request = visitor()
    request.session = SessionStore()
    name = Visit(request).name()
    request.session.save()
    key = request.session.session_key
    request.session = SessionStore(key)
    assert Visit(request).name() == name
    request.session["basket"] = [7]
    request.session.save()
    assert SessionStore(key)["basket"] == [7]
