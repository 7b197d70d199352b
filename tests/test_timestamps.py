"""A shop may keep its times aware or naive: the same journeys work, and a moment is the same moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.utils import timezone as now_of
from rest_framework import serializers

from shopvision import timestamps
from shopvision.api.serializers import MomentField
from shopvision.api.serializers_events import EventsRequest
from tests.again import passed_again

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
JOURNEYS = (
    "tests/search/test_journeys.py::test_a_photo_of_something_not_sold_is_counted_as_demand",
    "tests/api/test_journeys.py::test_a_real_answer_keeps_to_the_schema",
    "tests/admin/test_pages.py::test_the_overview_counts_and_says_drift_is_zero",
    "tests/ranking/test_journey.py::test_two_mugs_looked_at_bring_the_other_mugs_to_the_next_listing",
    "tests/ranking/test_learning.py::test_erasing_a_subject_takes_its_taste_away_at_once",
    "tests/ranking/test_learning.py::test_what_visitors_did_becomes_a_ranker_behind_the_gate",
    "tests/api/test_ranking.py::test_recommendations_are_a_strip_and_counted_as_shown",
    "tests/api/test_privacy.py::test_from_the_beacon_through_consent_to_a_row_to_a_copy_to_an_erasure",
    "tests/api/test_privacy.py::test_the_browsers_clock_is_corrected_and_never_runs_ahead",
    "tests/events/test_history.py",
    "tests/api/test_serializers_jobs.py::test_duplicates_are_those_of_the_latest_job",
    "tests/jobs/test_runner.py::test_a_job_whose_worker_was_killed_is_taken_over_when_its_lease_ran_out",
    "tests/tuning/test_click_feedback.py::test_shoppers_photos_make_the_search_better_and_the_gate_says_so",
    "tests/jobs/test_periodic.py",
)
LONGEST_SECONDS = 600  # other workers' tests share the machine
EVENT = {"id": "a-click-1", "kind": "click", "product": "demo_shop.product:1"}


@pytest.fixture(params=[True, False], ids=["aware", "naive"])
def aware(request: pytest.FixtureRequest, settings: Any) -> bool:
    """How the shop keeps times, nine hours from UTC."""
    settings.USE_TZ = request.param
    settings.TIME_ZONE = "Asia/Tokyo"
    return bool(request.param)


@pytest.mark.slow
def test_the_journeys_work_where_times_are_naive() -> None:
    passed = passed_again("-n", "0", *JOURNEYS, most_seconds=LONGEST_SECONDS, SHOPVISION_TEST_NAIVE="1")
    assert passed > len(JOURNEYS)


def test_moments_compare_with_now_and_with_each_other(aware: bool) -> None:
    now = now_of.now()
    assert now - timestamps.from_seconds(now.timestamp()) == timedelta(0)
    for same in (NOON, NOON.astimezone(timezone(timedelta(hours=-5))), datetime(2026, 11, 25, 21)):
        kept = timestamps.as_kept(same)
        assert kept < now + timedelta(days=36500)  # they can be compared
        assert kept == timestamps.from_seconds(NOON.timestamp())
        assert timestamps.with_offset(kept) == NOON
        assert datetime.fromisoformat(timestamps.as_text(kept) or "") == NOON
    assert timestamps.as_text(None) is None
    assert timestamps.today() == datetime.now(timezone(timedelta(hours=9))).date()


def test_a_browsers_time_is_the_same_moment_however_the_shop_keeps_it(aware: bool) -> None:
    """DRF alone takes 12:00Z for 12:00 in Tokyo where times are naive."""
    given = EventsRequest(data={"sent_at": "2026-11-25T12:00:00Z", "events": [EVENT]})
    given.is_valid(raise_exception=True)
    assert given.validated_data["sent_at"] == timestamps.as_kept(NOON)
    told = MomentField().to_representation(given.validated_data["sent_at"])
    assert datetime.fromisoformat(told) == NOON


@pytest.mark.parametrize("end", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_an_end_of_the_calendar_is_an_error_of_its_field(aware: bool, end: str) -> None:
    with pytest.raises(serializers.ValidationError):
        MomentField().run_validation(end)
