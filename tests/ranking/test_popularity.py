from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from shopvision import metrics
from shopvision.events.models import ProductCount
from shopvision.ranking import popularity
from shopvision.ranking.popularity import Count

pytestmark = pytest.mark.django_db


def happened(product: str, kind: str, count: int, days_ago: int = 0) -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    ProductCount.objects.create(product=product, kind=kind, count=count, day=day)


def test_acts_are_weighed_by_what_they_say_and_how_old_they_are() -> None:
    """4 views today, 4 a week ago (a half each), a purchase today (3 views): 4 + 2 + 3."""
    happened("a", "view", 3)
    happened("a", "view", 1)
    happened("a", "view", 4, days_ago=7)
    happened("a", "purchase", 1)
    happened("a", "view", 100, days_ago=31)
    happened("b", "impression", 50)
    happened("b", "click", 2)
    assert popularity.lately() == {"a": Count(pytest.approx(9.0), 0, 0), "b": Count(2.0, 50, 2)}


def test_the_products_with_the_most_acts_are_kept(monkeypatch: Any) -> None:
    monkeypatch.setattr(popularity, "MOST_PRODUCTS", 2)
    for number, product in enumerate("abc"):
        happened(product, "view", 1 + number)
    assert list(popularity.lately()) == ["c", "b"]


def test_a_failing_database_leaves_what_was_known(monkeypatch: Any) -> None:
    def broken() -> Any:
        raise RuntimeError("down")

    monkeypatch.setattr(popularity, "_sums", broken)
    assert popularity.lately() == {}
    assert metrics.snapshot()["counters"]["counts_failed"] == 1


def test_they_are_read_once_in_a_while(django_assert_num_queries: Any) -> None:
    popularity.lately()
    with django_assert_num_queries(0):
        popularity.lately()
