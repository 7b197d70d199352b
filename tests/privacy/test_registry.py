from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from shopvision import checks
from shopvision.events.models import Event, ProductCount
from shopvision.privacy import registry, retention
from shopvision.privacy.models import ConsentRecord, ErasedSubject, PrivacyLog
from shopvision.search.models import Demand

pytestmark = pytest.mark.django_db


def event(key: str, days_ago: float, subject: str = "1.a") -> Event:
    at = timezone.now() - timedelta(days=days_ago)
    return Event.objects.create(
        key=key, kind="view", subject=subject, product="shop.product:1", purposes=3, at=at
    )


def count(days_ago: int, number: int, product: str = "shop.product:1", kind: str = "view") -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    ProductCount.objects.create(day=day, product=product, kind=kind, count=number)


def test_every_table_of_ours_says_whether_it_holds_personal_data() -> None:
    assert registry.silent_models() == []
    assert checks.check_privacy() == []
    personal = {label for label, reason in registry.reasons().items() if not reason}
    assert personal == {"shopvision.Event", "shopvision.PhotoQuery", "shopvision.ConsentRecord"}
    assert "no subject" in registry.reasons()["shopvision.StoredSearch"]
    assert "no subject" in registry.reasons()["shopvision.Demand"]


def test_a_table_that_says_nothing_fails_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {label: why for label, why in registry.reasons().items() if label != "shopvision.Event"}
    monkeypatch.setattr(registry, "_reasons", known)
    (found,) = checks.check_privacy()
    assert (found.id, "shopvision.Event" in found.msg) == ("shopvision.E007", True)


def test_a_retention_for_what_is_not_kept_fails_the_check(settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "RETENTION_DAYS": {"events": 10, "evnts": 10}}
    (found,) = checks.check_privacy()
    assert (found.id, "evnts" in found.msg) == ("shopvision.E008", True)
    settings.SHOPVISION = {**settings.SHOPVISION, "RETENTION_DAYS": {"events": 0}}
    assert [one.id for one in checks.check_settings()] == ["shopvision.E002"]


def test_interest_without_sessions_is_warned_of(settings: Any) -> None:
    assert checks.check_sessions() == []
    settings.MIDDLEWARE = []
    assert [one.id for one in checks.check_sessions()] == ["shopvision.W005"]
    settings.SHOPVISION = {**settings.SHOPVISION, "PRIVACY_MODE": "off"}
    assert checks.check_sessions() == []


def test_a_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="registered already"):
        registry.register(registry.Store("events"))


def test_each_table_is_kept_its_own_time(settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "RETENTION_DAYS": {"events": 10}}
    event("old-event-1", 11)
    event("new-event-1", 9)
    count(731, 1)
    count(729, 1)
    past = timezone.now() - timedelta(days=1096)
    ConsentRecord.objects.create(subject="1.a", at=past)
    ErasedSubject.objects.create(digest="x", at=timezone.now() - timedelta(days=2))
    for age in (91, 89):
        Demand.objects.create(day=(timezone.now() - timedelta(days=age)).date(), colour="red")
    wanted = {
        "events": 1, "photo_queries": 0, "product_counts": 1, "consents": 1, "privacy_log": 0,
        "erased_subjects": 1, "demand": 1,
    }  # fmt: skip
    assert retention.purge(dry_run=True) == wanted
    assert Event.objects.count() == 2
    assert PrivacyLog.objects.count() == 0
    assert retention.purge() == wanted
    assert [one.key for one in Event.objects.all()] == ["new-event-1"]
    assert PrivacyLog.objects.get().counts == wanted
    retention.purge()
    assert PrivacyLog.objects.count() == 1  # a purge of nothing is no news


def test_more_than_a_chunk_is_purged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CHUNK", 3)
    for number in range(8):
        event(f"old-event-{number}", 91)
    assert retention.purge()["events"] == 8


def test_past_days_are_folded_into_one_row_each_and_nothing_is_lost() -> None:
    for number in (1, 2, 3):
        count(1, number)
        count(0, number)
    count(1, 5, "shop.product:2")
    count(1, 7, kind="click")
    assert retention.purge()["product_counts"] == 0
    yesterday = timezone.now().date() - timedelta(days=1)
    rows = ProductCount.objects.filter(day=yesterday).values_list("product", "kind", "count")
    assert sorted(rows) == [
        ("shop.product:1", "click", 7),
        ("shop.product:1", "view", 6),
        ("shop.product:2", "view", 5),
    ]
    assert ProductCount.objects.exclude(day=yesterday).count() == 3
    before = list(ProductCount.objects.values_list("pk", flat=True))
    retention.purge()
    assert list(ProductCount.objects.values_list("pk", flat=True)) == before


def test_one_table_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    def down(before: Any) -> int:
        raise OperationalError("down")

    event("old-event-1", 91)
    broken = registry.Store("broken", 1, purge=down)
    monkeypatch.setattr(registry, "_stores", {"broken": broken, **registry.stores()})
    counts = retention.purge()
    assert counts["events"] == 1
    assert "broken" not in counts
