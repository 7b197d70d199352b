from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import signing
from django.db import OperationalError
from django.http import HttpResponse
from django.utils import timezone

from shopvision import signals
from shopvision.events.models import Event
from shopvision.events.record import NewEvent, record_events
from shopvision.privacy import consent
from shopvision.privacy.consent import NOTHING, Choice, choice_of, may_record, put_cookies, subject_of
from shopvision.privacy.consent_changes import decide, forget
from shopvision.privacy.models import ConsentRecord, PrivacyLog
from shopvision.types import ProductRef, Subject
from tests.visitors import again, carry, visitor

pytestmark = pytest.mark.django_db
MUG = ProductRef("shop.product", "1")


@pytest.mark.usefixtures("consent_mode")
def test_who_was_never_asked_is_not_recorded_and_has_no_key() -> None:
    request = visitor()
    assert may_record(request) == NOTHING
    assert subject_of(request) == Subject()


@pytest.mark.usefixtures("consent_mode")
def test_consent_is_by_purpose() -> None:
    request = again(visitor("personalisation", "marketing"))
    permission = may_record(request)
    assert permission.rows
    assert permission.interest
    assert not permission.counts  # sums are for improvement
    assert permission.purposes == 0b101
    assert permission.subject.visitor


@pytest.mark.usefixtures("consent_mode")
@pytest.mark.parametrize(
    "forged",
    ["", "nonsense", signing.dumps({"p": ["improvement"], "k": "x", "s": 0})],
    ids=["empty", "nonsense", "signed for another use"],
)
def test_a_cookie_that_we_did_not_sign_for_this_is_no_consent(forged: str) -> None:
    request = visitor()
    request.COOKIES[consent.COOKIE] = forged
    assert choice_of(request) == Choice()


@pytest.mark.usefixtures("consent_mode")
def test_after_half_a_year_the_visitor_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    request = visitor("improvement")
    now = signing.time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 179 * 86_400)
    assert choice_of(again(request)).decided
    monkeypatch.setattr(signing.time, "time", lambda: now + 181 * 86_400)
    assert not choice_of(again(request)).decided


@pytest.mark.usefixtures("consent_mode")
def test_changing_purposes_keeps_the_visitor_and_withdrawing_gives_the_name_up() -> None:
    request = visitor("improvement")
    first = choice_of(again(request))
    follow = again(request)
    second, receipt = decide(follow, ["improvement", "personalisation"], source="page")
    carry(follow, second)
    assert (second.key, receipt) == (first.key, None)
    assert second.since == first.since
    third, receipt = decide(again(follow), [], source="page")
    assert (third.key, third.since, third.decided) == ("", None, True)
    assert receipt is not None
    assert [row.purposes for row in ConsentRecord.objects.order_by("pk")] == [
        ["improvement"],
        ["improvement", "personalisation"],
        [],
    ]
    assert set(ConsentRecord.objects.values_list("subject", flat=True)) == {""}


@pytest.mark.usefixtures("consent_mode")
def test_a_new_consent_does_not_reach_back_behind_the_withdrawal() -> None:
    request = visitor("improvement")
    key = choice_of(again(request)).key
    gone, _ = decide(again(request), [], source="page")
    carry(request, gone)
    new, _ = decide(again(request), ["improvement"], source="page")
    assert new.key != key
    assert new.since is not None
    assert timezone.now() - new.since < timedelta(minutes=5)


@pytest.mark.usefixtures("consent_mode")
def test_the_decision_is_announced_with_a_pseudonym_and_no_key() -> None:
    told: list[dict[str, Any]] = []

    def listen(**words: Any) -> None:
        told.append(words)

    signals.consent_changed.connect(listen)
    try:
        request = visitor("improvement")
        decide(again(request), [], source="page")
    finally:
        signals.consent_changed.disconnect(listen)
    assert [(one["before"], one["after"]) for one in told] == [
        (set(), {"improvement"}),
        ({"improvement"}, set()),
    ]
    assert told[0]["subject"].count(".") == 1
    assert told[1]["subject"] == ""


@pytest.mark.usefixtures("consent_mode")
def test_a_signed_in_users_refusal_on_another_device_withdraws_for_the_account() -> None:
    user = get_user_model().objects.create_user("ann")
    phone, laptop = visitor(), visitor()
    phone.user = laptop.user = user
    decide(phone, ["improvement"], source="page")
    assert may_record(subject=Subject(str(user.pk))).rows
    record_events([NewEvent("purchase", MUG)], subject=Subject(str(user.pk)))
    _, receipt = decide(laptop, [], source="page")
    assert receipt is not None
    assert receipt.counts["events"] == 1
    assert may_record(subject=Subject(str(user.pk))) == NOTHING


def test_in_session_mode_a_choice_leaves_no_row(mode: Callable[[str], None]) -> None:
    mode("session")
    request = visitor("personalisation", "improvement")
    assert choice_of(again(request)).purposes == {"personalisation"}
    assert may_record(again(request)).interest
    _, receipt = forget(again(request), source="page")
    assert ConsentRecord.objects.count() == 0
    assert (receipt.id, set(receipt.counts.values())) == ("", {0})
    assert not PrivacyLog.objects.exists()


def test_in_mode_off_nothing_may_be_kept_whatever_was_agreed(mode: Callable[[str], None]) -> None:
    mode("consent")
    request = visitor("improvement", "personalisation")
    mode("off")
    assert may_record(again(request)) == NOTHING


@pytest.mark.usefixtures("consent_mode")
def test_cookies_are_secure_where_the_shop_is() -> None:
    request = visitor("improvement")
    request.META["wsgi.url_scheme"] = "https"
    response = HttpResponse()
    put_cookies(response, request, choice_of(again(request)))
    assert all(cookie["secure"] for cookie in response.cookies.values())


@pytest.mark.usefixtures("consent_mode")
def test_a_database_that_fails_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("no database")

    monkeypatch.setattr(consent, "recorded_choice", down)
    assert record_events([NewEvent("purchase", MUG)], subject=Subject("1")).taken == 0
    assert Event.objects.count() == 0


@pytest.mark.usefixtures("consent_mode")
def test_a_withdrawal_stands_even_where_the_erasure_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    request = visitor("improvement")
    subject = subject_of(again(request))

    def fails(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr("shopvision.privacy.consent_changes.erase", fails)
    with pytest.raises(OperationalError):
        decide(again(request), (), source="page")
    assert consent.recorded_choice(subject).purposes == frozenset()
    assert may_record(None, subject) == NOTHING
