from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from shopvision import jobs
from shopvision.catalogue.models import Outbox
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.pipeline import drain_outbox
from shopvision.search import status
from tests.factories import DemoProductFactory

pytestmark = pytest.mark.django_db


def test_freshness_leaves_out_what_waited_for_the_first_indexing(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(3)
    hour = timedelta(hours=1)
    Outbox.objects.update(created_at=timezone.now() - hour)
    jobs.run(jobs.start("index_all", wake=False))
    assert status.freshness()["changes"] == 0
    DemoProductFactory()
    drain_outbox()
    assert status.freshness()["changes"] == 1
    assert status.freshness()["p95_seconds"] < 60
