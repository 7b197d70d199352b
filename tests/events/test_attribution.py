from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from shopvision.events.models import Event
from shopvision.events.record import NewEvent, record_events
from shopvision.types import ProductRef
from tests.visitors import again, visitor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("consent_mode")]
MUG, CUP = ProductRef("shop.product", "1"), ProductRef("shop.product", "2")
FIRST, SECOND = "a" * 32, "b" * 32


def happened(request: Any, kind: str, product: ProductRef, minutes_ago: float, **more: Any) -> None:
    at = timezone.now() - timedelta(minutes=minutes_ago)
    record_events([NewEvent(kind, product, at=at, **more)], request=again(request))


def purchase() -> tuple[str, int | None]:
    row = Event.objects.get(kind="purchase")
    return row.listing, row.position


def long_ago(request: Any, monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """The consent stands since then."""
    choice = request.__dict__["_shopvision_choice"]
    object.__setattr__(choice, "since", choice.since - timedelta(days=days))
    monkeypatch.setattr("shopvision.privacy.consent._read", lambda _: choice)


@pytest.fixture
def shopper(monkeypatch: pytest.MonkeyPatch) -> Any:
    request = visitor("improvement")
    long_ago(request, monkeypatch, 60)
    return request


def test_a_purchase_joins_the_latest_click_on_its_product(shopper: Any) -> None:
    happened(shopper, "click", MUG, 50, listing=FIRST, position=4)
    happened(shopper, "click", MUG, 40, listing=SECOND, position=1)
    happened(shopper, "click", CUP, 30, listing=FIRST, position=9)
    happened(shopper, "purchase", MUG, 10)
    assert purchase() == (SECOND, 1)


def test_a_click_that_arrives_after_the_purchase_is_joined_all_the_same(shopper: Any) -> None:
    happened(shopper, "purchase", MUG, 10)
    assert purchase() == ("", None)
    happened(shopper, "click", MUG, 40, listing=FIRST, position=4)
    assert purchase() == (FIRST, 4)
    happened(shopper, "click", MUG, 20, listing=SECOND, position=0)  # later than the one it was joined to
    assert purchase() == (SECOND, 0)
    happened(shopper, "click", MUG, 30, listing=FIRST, position=5)
    assert purchase() == (SECOND, 0)


def test_a_click_after_the_purchase_did_not_lead_to_it(shopper: Any) -> None:
    happened(shopper, "purchase", MUG, 30)
    happened(shopper, "click", MUG, 10, listing=FIRST, position=4)
    assert purchase() == ("", None)


def test_a_purchase_that_names_its_listing_keeps_it(shopper: Any) -> None:
    happened(shopper, "click", MUG, 50, listing=FIRST, position=4)
    happened(shopper, "purchase", MUG, 10, listing=SECOND, position=0)
    assert purchase() == (SECOND, 0)


def test_nobody_elses_click_and_none_of_last_week_is_joined(
    shopper: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened(shopper, "click", MUG, 50, listing=FIRST, position=4)
    Event.objects.update(at=timezone.now() - timedelta(days=8))
    happened(shopper, "purchase", MUG, 10)
    assert purchase() == ("", None)
    monkeypatch.undo()


def test_a_click_under_the_pseudonym_before_is_joined(shopper: Any, settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "PSEUDONYM_ROTATION_DAYS": 1}
    happened(shopper, "click", MUG, 5, listing=FIRST, position=4)
    from shopvision.privacy import pseudonyms
    from shopvision.privacy.consent import subject_of

    yesterday = timezone.now() - timedelta(days=1)
    name = pseudonyms.pseudonym(subject_of(again(shopper)), yesterday)
    Event.objects.update(subject=name, at=yesterday)
    happened(shopper, "purchase", MUG, 0)
    row = Event.objects.get(kind="purchase")
    assert row.subject != name
    assert purchase() == (FIRST, 4)
