from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.utils import timezone

from shopvision.events import history, tracking
from shopvision.events.history import latest, sequences, shown_listings
from shopvision.events.login_merge import adopt
from shopvision.events.models import Event
from shopvision.privacy import consent
from shopvision.types import ProductRef, Subject
from tests.visitors import again, visitor

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def ref(number: int) -> ProductRef:
    return ProductRef("demo_shop.product", str(number))


def look_at(request: Any, *numbers: int, kind: str = "view") -> None:
    for number in numbers:
        tracking.record(again(request), kind, ref(number))


def products(request: Any, **options: Any) -> list[int]:
    return [int(one.product.object_id) for one in latest(again(request), **options)]


@pytest.mark.parametrize(("name", "purposes"), [("session", ()), ("consent", ("personalisation",))])
def test_the_latest_products_come_first_and_at_once(
    mode: Callable[[str], None], name: str, purposes: tuple[str, ...]
) -> None:
    mode(name)
    request = visitor(*purposes)
    look_at(request, 1, 2, 3)
    tracking.record(again(request), "rate", ref(2), value=5.0)
    assert products(request) == [2, 3, 2, 1]
    assert products(request, limit=1) == [2]
    assert products(request, kinds={"view"}) == [3, 2, 1]
    assert latest(again(request))[0].value == 5.0


def test_rows_reach_further_back_than_the_session_and_nothing_comes_twice(
    mode: Callable[[str], None],
) -> None:
    mode("consent")
    request = visitor("personalisation")
    look_at(request, *range(25))
    assert products(request) == list(range(24, -1, -1))
    del request.session[consent.SESSION]  # another visit
    assert products(request) == list(range(24, -1, -1))


def test_nothing_is_used_that_was_not_agreed_to(mode: Callable[[str], None]) -> None:
    mode("consent")
    request = visitor("improvement")
    look_at(request, 1)
    assert Event.objects.count() == 1
    assert products(request) == []
    assert products(visitor()) == []
    refuses = again(request, HTTP_SEC_GPC="1")
    assert latest(refuses) == []


def test_somebody_else_sees_nothing_of_it(mode: Callable[[str], None]) -> None:
    mode("consent")
    look_at(visitor("personalisation"), 1)
    assert products(visitor("personalisation")) == []


def test_a_database_that_is_down_leaves_what_the_session_knows(
    mode: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mode("consent")
    request = visitor("personalisation")
    look_at(request, 1)

    def down(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("down")

    monkeypatch.setattr(history.transaction, "atomic", down)
    assert products(request) == [1]


def test_a_subject_outside_a_request_has_a_history_too(mode: Callable[[str], None]) -> None:
    mode("consent")
    request = visitor("personalisation")
    look_at(request, 4)
    subject = consent.subject_of(again(request))
    assert [one.product for one in latest(subject=subject)] == [ref(4)]
    assert latest(subject=Subject("nobody")) == []


def test_listings_come_with_positions_propensities_and_outcomes(mode: Callable[[str], None]) -> None:
    mode("consent")
    request = visitor("improvement")
    shown = tracking.record_listing(
        again(request), [ref(1), ref(2), ref(3)], start=24, propensities=[0.5, 0.25, 1.0]
    )
    tracking.record(again(request), "click", ref(2), listing=shown.id, position=25)
    tracking.record(again(request), "purchase", ref(2))
    tracking.record_listing(again(visitor("personalisation")), [ref(9)])  # not for training
    now = timezone.now()
    (found,) = shown_listings(now - DAY, now + DAY)
    assert found.id == shown.id
    assert [(int(one.product.object_id), one.position, one.propensity) for one in found.items] == [
        (1, 24, 0.5),
        (2, 25, 0.25),
        (3, 26, 1.0),
    ]
    assert [set(one.outcomes) for one in found.items] == [set(), {"click", "purchase"}, set()]
    assert list(shown_listings(now - 2 * DAY, now - DAY)) == []


def test_sequences_are_by_subject_and_time_and_only_of_those_who_agreed(mode: Callable[[str], None]) -> None:
    mode("consent")
    look_at(visitor("personalisation"), 1)
    request = visitor("improvement")
    look_at(request, 2, 3)
    now = timezone.now()
    found = list(sequences(now - DAY, now + DAY))
    assert [int(row[2].object_id) for row in found] == [2, 3]
    assert len({row[0] for row in found}) == len({row[1] for row in found}) == 1


def test_signing_in_makes_the_visitors_history_the_users(mode: Callable[[str], None]) -> None:
    mode("consent")
    user = get_user_model().objects.create_user("ann")
    request = visitor("personalisation")
    look_at(request, 1, 2)
    assert adopt(again(request), str(user.pk)) == 2
    signed_in = again(request)
    signed_in.user = user
    look_at_signed_in = [one.product for one in latest(signed_in)]
    assert look_at_signed_in == [ref(2), ref(1)]
    user.delete()
    assert Event.objects.count() == 0


def test_without_consent_signing_in_joins_nothing(mode: Callable[[str], None]) -> None:
    mode("consent")
    assert adopt(visitor(), "1") == 0
