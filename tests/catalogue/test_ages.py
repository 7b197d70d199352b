from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from shopvision import telemetry
from shopvision.catalogue.adapter import Catalogue
from shopvision.catalogue.ages import ages_days

pytestmark = pytest.mark.django_db


class Users(Catalogue):
    added = "date_joined"


class Wrong(Catalogue):
    added = "get_full_name"


def test_ages_are_days_since_the_field_says() -> None:
    now = timezone.now()
    old = User.objects.create(username="old", date_joined=now - timedelta(days=2, hours=12))
    future = User.objects.create(username="future", date_joined=now + timedelta(days=1))
    found = ages_days(Users(User), [str(old.pk), str(future.pk), "424242", "x"])
    assert found == {str(old.pk): pytest.approx(2.5, abs=0.01), str(future.pk): 0.0}


def test_dates_and_naive_times_are_taken(settings: Any) -> None:
    settings.USE_TZ = False
    User.objects.create(username="one", date_joined=timezone.now().replace(tzinfo=None))
    (days,) = ages_days(Users(User), [str(User.objects.get().pk)]).values()
    assert 0 <= days < 1


def test_without_a_field_there_is_no_age() -> None:
    one = User.objects.create(username="one")
    assert ages_days(Catalogue(User), [str(one.pk)]) == {}
    assert ages_days(Wrong(User), [str(one.pk)]) == {}
    assert telemetry.snapshot()["counters"]["added_failed"] >= 1
