from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError

from shopvision import signals
from shopvision.events import tracking
from shopvision.events.models import Event
from shopvision.privacy import registry
from shopvision.privacy.consent import SESSION, subject_of
from shopvision.privacy.data_export import export
from shopvision.privacy.erasure import erase, what_is_kept
from shopvision.privacy.models import ConsentRecord, ErasedSubject, PrivacyLog
from shopvision.types import Subject
from tests.visitors import again, visitor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("consent_mode")]
BOTH = ("personalisation", "improvement")


def shopper(*products: int) -> Any:
    request = visitor(*BOTH)
    for number in products:
        tracking.record(again(request), "view", f"demo_shop.product:{number}")
    return request


def test_one_subject_is_forgotten_and_no_other() -> None:
    ann, bob = shopper(1, 2), shopper(3)
    who = subject_of(again(ann))
    assert what_is_kept(who) == {"events": 2, "photo_queries": 0, "consents": 1}
    receipt = erase(who, source="visitor", request=again(ann))
    assert receipt.counts == {"events": 2, "photo_queries": 0, "consents": 1, "session": 2}
    assert what_is_kept(who) == {"events": 0, "photo_queries": 0, "consents": 0}
    assert what_is_kept(subject_of(again(bob))) == {"events": 1, "photo_queries": 0, "consents": 1}
    assert SESSION not in ann.session


def test_the_receipt_and_all_that_is_left_name_nobody() -> None:
    request = shopper(1)
    who = subject_of(again(request))
    name = Event.objects.get().subject
    receipt = erase(who, source="visitor")
    left = [*PrivacyLog.objects.values(), *ErasedSubject.objects.values(), *ConsentRecord.objects.values()]
    text = str([receipt.as_dict(), *left])
    assert name not in text
    assert who.visitor not in text
    assert ConsentRecord.objects.get().purposes == ["improvement", "personalisation"]  # the proof stays


def test_live_profiles_are_told_and_a_cache_of_them_registers_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def listen(pseudonyms: tuple[str, ...], receipt: Any, **_: Any) -> None:
        told.append((pseudonyms, receipt.id))

    monkeypatch.setattr(registry, "_stores", registry.stores())
    registry.register(registry.Store("profiles", erase=lambda who: len(who.pseudonyms[:1])))
    signals.subject_erased.connect(listen)
    try:
        request = shopper(1)
        name = Event.objects.get().subject
        receipt = erase(subject_of(again(request)), source="visitor")
    finally:
        signals.subject_erased.disconnect(listen)
    assert receipt.counts["profiles"] == 1
    ((names, number),) = told
    assert name in names
    assert number == receipt.id


def test_an_erasure_that_fails_in_one_table_erases_in_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(who: Any) -> int:
        raise OperationalError("down")

    monkeypatch.setattr(
        registry, "_stores", {**registry.stores(), "broken": registry.Store("broken", erase=down)}
    )
    request = shopper(1)
    with pytest.raises(OperationalError):
        erase(subject_of(again(request)), source="visitor")
    assert Event.objects.count() == 1
    assert PrivacyLog.objects.count() == 0


def test_deleting_a_user_erases() -> None:
    user = get_user_model().objects.create_user("ann")
    request = visitor()
    request.user = user
    from shopvision.privacy.consent_changes import decide

    decide(request, BOTH, source="page")
    tracking.record(request, "view", "demo_shop.product:1")
    assert Event.objects.count() == 1
    get_user_model().objects.filter(pk=user.pk).delete()
    assert Event.objects.count() == 0
    assert PrivacyLog.objects.get().source == "user deleted"


def test_deleting_a_user_of_whom_nothing_is_kept_writes_no_receipt() -> None:
    get_user_model().objects.create_user("bob").delete()
    assert PrivacyLog.objects.count() == 0


def test_a_copy_holds_everything_and_handing_it_out_is_logged() -> None:
    request = shopper(1, 2)
    copy = export(subject_of(again(request)), source="visitor", request=again(request))
    assert [row["product"] for row in copy["tables"]["events"]] == [
        "demo_shop.product:2",
        "demo_shop.product:1",
    ]
    assert copy["tables"]["consents"][0]["purposes"] == ["improvement", "personalisation"]
    assert len(copy["session"]["i"]) == 2
    assert copy["kept_days"] == {"events": 90, "photo_queries": 90, "consents": 1095}
    assert PrivacyLog.objects.get().counts == {"events": 2, "photo_queries": 0, "consents": 1}
    assert export(Subject("nobody"), source="command")["tables"] == {
        "events": [],
        "photo_queries": [],
        "consents": [],
    }
    assert PrivacyLog.objects.count() == 1
