"""Made-up visitors have the rights of real ones, and leave no trace when they are taken away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shopvision.events import simulated_events
from shopvision.events.models import Event
from shopvision.events.simulated_events import MadeUp
from shopvision.privacy.models import ConsentRecord, PrivacyLog

pytestmark = pytest.mark.django_db


def write(visitors: int) -> None:
    now = timezone.now()
    events, sums = simulated_events.rows_of(
        MadeUp(kind, visitor, "v", "shop.thing:1", now - timedelta(days=40 * visitor))
        for visitor in range(visitors)
        for kind in ("view", "click")
    )
    Event.objects.bulk_create(events)
    assert sum(one.count for one in sums) == len(events)


def test_who_asks_to_be_forgotten_is_and_the_log_says_who_made_it_up() -> None:
    write(2)
    simulated_events.exercise_rights(1)
    assert set(Event.objects.values_list("subject", flat=True)) == {"simulated.0"}
    log = PrivacyLog.objects.order_by("at").values_list("act", "source", "counts__events")
    assert list(log) == [("export", "simulated", 2), ("erase", "simulated", 2)]
    decided = ConsentRecord.objects.order_by("at").values_list("subject", "purposes", "source")
    assert list(decided) == [
        ("", ["personalisation", "improvement", "marketing"], "simulated"),
        ("", [], "simulated"),
    ]
    assert simulated_events.rights_exercised() == 4


def test_the_page_of_the_log_says_that_they_were_made_up(admin_client: Client) -> None:
    address = reverse("admin:shopvision_privacylog_changelist")
    assert "made up for the demo" not in admin_client.get(address).content.decode()
    write(1)
    simulated_events.exercise_rights(0)
    page = admin_client.get(address).content.decode()
    assert "4 events here were made up for the demo." in page
    assert "2 events, 1 consents" in page


def test_forgetting_takes_away_what_was_made_up_and_nothing_else() -> None:
    write(2)
    simulated_events.exercise_rights(0)
    PrivacyLog.objects.create(act="purge", source="duty", counts={"events": 1})
    assert simulated_events.forget() == 2
    assert (simulated_events.there(), simulated_events.rights_exercised()) == (0, 0)
    assert PrivacyLog.objects.get().source == "duty"
