from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from shopvision import jobs
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.jobs import periodic, registration
from tests.factories import DemoProductFactory

pytestmark = pytest.mark.django_db


def never() -> bool:
    return False


def test_one_turn_indexes_changes_runs_jobs_and_shows_the_worker_alive(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(2)
    job = jobs.start("reconcile", wake=False)
    assert periodic.turn(periodic.Clock(), "command", never, periodic.run_jobs) == 2
    job.refresh_from_db()
    assert job.state == "done"
    assert jobs.workers_alive().count() == 1
    assert live_release.index.count() == 2


def test_a_worker_told_to_stop_takes_no_new_batch(live_release: LiveRelease) -> None:
    DemoProductFactory()
    assert periodic.drain(lambda: True) == 0
    assert periodic.drain(never) == 1


def test_work_is_due_at_once_and_then_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(periodic.time, "monotonic", lambda: now[0])
    clock = periodic.Clock()
    assert clock.due("purge", 10)
    now[0] = 109.9
    assert not clock.due("purge", 10)
    assert clock.due("reconcile", 10)
    now[0] = 110.0
    assert clock.due("purge", 10)


def test_of_several_processes_one_does_periodic_work(settings: Any) -> None:
    periodic.cache.delete("shopvision:periodic:reconcile")
    assert periodic.first_here("reconcile", 60)
    assert not periodic.first_here("reconcile", 60)


def test_a_cache_that_is_down_does_not_stop_periodic_work(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*args: Any, **kwargs: Any) -> bool:
        raise ConnectionError("no cache")

    monkeypatch.setattr(periodic.cache, "add", down)
    assert periodic.first_here("reconcile", 60)


def test_old_jobs_and_their_chosen_products_are_purged() -> None:
    now = timezone.now()
    for days in (89, 91):
        job = jobs.Job.objects.create(kind="classify", state="done", finished_at=now - timedelta(days=days))
        jobs.JobItem.objects.create(job=job, position=1, key=str(days))
    jobs.Job.objects.create(kind="classify", state="queued")
    assert periodic.purge() == 2  # the job and its product
    assert jobs.Job.objects.count() == 2
    assert list(jobs.JobItem.objects.values_list("key", flat=True)) == ["89"]


def test_one_piece_of_work_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def fail() -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(registration, "PERIODIC", {})
    monkeypatch.setattr(periodic, "PERIODIC", registration.PERIODIC)
    jobs.every("fails", seconds=60, run=fail)
    jobs.every("works", seconds=60, run=lambda: done.append("worked"))
    periodic.turn(periodic.Clock(), "command", never, periodic.run_jobs)
    assert done == ["worked"]
