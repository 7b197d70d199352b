"""A database that is locked costs a page what we would have remembered, and nothing else."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.utils import timezone

from shopvision import telemetry
from shopvision.events.interest import Visit
from tests.visitors import visitor

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
    assert telemetry.snapshot()["counters"]["visit_not_kept"] >= 1


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
