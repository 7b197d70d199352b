"""Clicks after photo searches: counted by hand, of those who agreed, and never of a few."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from shopvision.events import tracking, writer
from shopvision.events.models import Event
from shopvision.privacy.consent import BITS
from shopvision.search.search_clicks import evaluate_search_clicks
from shopvision.types import ProductRef
from tests.visitors import again, visitor

pytestmark = pytest.mark.django_db
BOTH = BITS["improvement"] | BITS["personalisation"]


def act(kind: str, subject: str, listing: str, **values: Any) -> Event:
    """An event row as the writer leaves it."""
    given = {"purposes": BOTH, "at": timezone.now() - timedelta(hours=1), **values}
    return Event.objects.create(key=uuid.uuid4().hex, kind=kind, subject=subject, listing=listing, **given)


def searches(count: int, visitors: int, *, clicked_at: dict[int, int] | None = None, **values: Any) -> None:
    """So many searches, the visitors taking turns; some with a click at a position (from 0)."""
    for number in range(count):
        subject, listing = f"1.{number % visitors}", uuid.uuid4().hex
        act("photo_search", subject, listing, **values)
        if number in (clicked_at or {}):
            act("click", subject, listing, product="shop.product:1", position=clicked_at[number], **values)


def test_shares_and_ranks_by_hand() -> None:
    searches(40, 8, clicked_at={n: (0, 0, 3, 9, None)[n % 5] for n in range(10)})
    found = evaluate_search_clicks()
    assert (found["searches"], found["visitors"], found["simulated"]) == (40, 8, 0)
    assert found["click_share"] == 10 / 40
    low, high = found["click_share_interval"]
    assert 0 <= low < 0.25 < high < 1
    ranks = [1, 1, 4, 10] * 2  # two clicks came without a position
    assert found["rank"] == {
        "clicks": 8,
        "median": 2.5,
        "first_share": 4 / 8,
        "first_5_share": 6 / 8,
        "mean_reciprocal": round(sum(1 / rank for rank in ranks) / 8, 4),
    }


def test_a_product_that_is_clicked_and_bought_counts_once() -> None:
    searches(40, 8, clicked_at=dict.fromkeys(range(8), 0))
    listing = Event.objects.filter(kind="click").first()
    act("purchase", listing.subject, listing.listing, product="shop.product:1")
    found = evaluate_search_clicks()
    assert (found["click_share"], found["rank"]["clicks"]) == (8 / 40, 8)


def test_events_for_other_purposes_and_older_ones_are_not_read() -> None:
    searches(40, 8, clicked_at={0: 0}, purposes=BITS["personalisation"])
    searches(40, 8, clicked_at={0: 0}, at=timezone.now() - timedelta(days=91))
    found = evaluate_search_clicks()
    assert found["missing"] == {"searches": 30, "visitors": 5}
    assert "click_share" not in found


@pytest.mark.parametrize("count", [4, 400])
def test_nothing_is_said_of_four_visitors(count: int) -> None:
    searches(count, 4, clicked_at={0: 0})
    found = evaluate_search_clicks()
    assert found == {
        "days": 90,
        "privacy_mode": found["privacy_mode"],
        "missing": {"searches": 30, "visitors": 5},
    }


def test_how_often_and_where_four_visitors_clicked_is_not_told() -> None:
    searches(40, 8, clicked_at=dict.fromkeys(range(4), 2))
    found = evaluate_search_clicks()
    assert (found["searches"], found["click_share"], found["click_share_interval"]) == (40, None, None)
    assert found["rank"] is None


def test_no_click_at_all_is_told() -> None:
    searches(40, 8)
    found = evaluate_search_clicks()
    assert (found["click_share"], found["rank"]) == (0.0, None)


def test_a_visitors_search_and_click_are_read_as_the_api_records_them(consent_mode: None) -> None:
    for _ in range(30):
        request, listing = visitor("improvement"), uuid.uuid4().hex
        tracking.record(request, "photo_search", listing=listing)
        tracking.record(again(request), "click", ProductRef("demo_shop.product", "1"), listing=listing)
    writer.write_waiting()
    found = evaluate_search_clicks()
    assert (found["searches"], found["visitors"], found["click_share"]) == (30, 30, 1.0)
