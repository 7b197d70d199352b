from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from shopvision.privacy import retention
from shopvision.search.jobs import purge_searches
from shopvision.search.models import Demand, StoredSearch

pytestmark = pytest.mark.django_db


def test_purge_deletes_what_is_past_its_time_and_nothing_else() -> None:
    old = StoredSearch.objects.create(kind="photo", payload={}, took_ms=1)
    StoredSearch.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(seconds=3601))
    StoredSearch.objects.create(kind="photo", payload={}, took_ms=1)
    today = timezone.now().date()
    Demand.objects.create(day=today - timedelta(days=91), colour="red")
    Demand.objects.create(day=today - timedelta(days=89), colour="red")
    assert purge_searches() == 1
    assert sum(retention.purge().values()) == 1
    assert StoredSearch.objects.count() == Demand.objects.count() == 1
