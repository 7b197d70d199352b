from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from shopvision import jobs
from shopvision.jobs.heartbeat import WORKER_SEEN_SECONDS

pytestmark = pytest.mark.django_db


def test_workers_are_alive_while_they_say_so() -> None:
    jobs.here_i_am("command")
    jobs.here_i_am("command")
    assert jobs.workers_alive().count() == 1
    jobs.Worker.objects.update(seen_at=timezone.now() - timedelta(seconds=WORKER_SEEN_SECONDS + 1))
    assert jobs.workers_alive().count() == 0
    jobs.good_bye()
    assert not jobs.Worker.objects.exists()
