from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from shopvision.events.models import ProductCount
from shopvision.events.noisy_aggregates import most_viewed, views
from shopvision.privacy import differential_privacy

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def installed() -> None:
    """We have been there for a month."""
    at = timezone.now() - timedelta(days=30)
    MigrationRecorder.Migration.objects.filter(app="shopvision").update(applied=at)


def count(days_ago: int, product: str, number: int, kind: str = "view") -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    ProductCount.objects.create(day=day, product=product, kind=kind, count=number)


def test_full_days_only_all_products_and_each_cell_its_own_noise() -> None:
    count(0, "shop.product:1", 1000)  # today still moves
    count(1, "shop.product:1", 300)
    count(1, "shop.product:1", 200)  # appended by another process
    count(1, "shop.product:1", 5000, kind="click")
    found = {(row.day, row.product): row.visitors for row in views(["shop.product:1", "shop.product:2"], 2)}
    assert len(found) == 4
    yesterday = timezone.now().date() - timedelta(days=1)
    cell = ("views", "shop.product:1", yesterday.isoformat())
    assert found[yesterday, "shop.product:1"] == differential_privacy.noisy(500, cell)
    assert found[yesterday, "shop.product:2"] == differential_privacy.noisy(
        0, ("views", "shop.product:2", yesterday.isoformat())
    )


def test_a_smaller_epsilon_is_noisier() -> None:
    names = [f"shop.product:{n}" for n in range(400)]

    def spread(epsilon: float) -> float:
        return sum(abs(row.visitors) for row in views(names, 1, epsilon=epsilon)) / len(names)

    assert spread(1.0) == pytest.approx(1.0, abs=0.35)  # the mean absolute value is the scale
    assert spread(0.1) == pytest.approx(10.0, abs=2.5)


def test_the_most_viewed_come_first_and_nothing_below_one() -> None:
    count(1, "shop.product:1", 400)
    count(2, "shop.product:2", 900)
    count(3, "shop.product:1", 400)
    found = most_viewed(["shop.product:1", "shop.product:2", "shop.product:3"], 7, 2)
    assert [ref for ref, _ in found] == ["shop.product:2", "shop.product:1"]
    assert all(n > 0 for _, n in most_viewed([f"shop.product:{n}" for n in range(50)], 3, 50))


def test_days_before_we_were_there_are_no_zeros() -> None:
    MigrationRecorder.Migration.objects.filter(app="shopvision").update(
        applied=timezone.now() - timedelta(days=3)
    )
    assert len(list(views(["shop.product:1"], 90))) == 3
    count(2, "shop.product:1", 5)
    assert len(list(views(["shop.product:1"], 90))) == 3  # a first visitor moves no boundary
    count(6, "shop.product:1", 5)  # a database that was moved: its migrations ran anew
    assert len(list(views(["shop.product:1"], 90))) == 6
