from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from demo_shop.models import Product
from shopvision import jobs
from shopvision.catalogue.models import CatalogueEntry, Outbox
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.pipeline import drain_outbox
from shopvision.search import status
from shopvision.search.models import Demand, StoredSearch
from shopvision.tasks import duties
from tests.factories import DemoProductFactory

pytestmark = pytest.mark.django_db


def never() -> bool:
    return False


def test_one_turn_indexes_changes_runs_jobs_and_shows_the_worker_alive(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(2)
    job = jobs.start("reconcile", wake=False)
    assert duties.turn(duties.Clock(), "command", never, duties.run_jobs) == 2
    job.refresh_from_db()
    assert job.state == "done"
    assert jobs.workers_alive().count() == 1
    assert live_release.index.count() == 2


def test_a_worker_told_to_stop_takes_no_new_batch(live_release: LiveRelease) -> None:
    DemoProductFactory()
    assert duties.drain(lambda: True) == 0
    assert duties.drain(never) == 1


def test_a_change_that_sent_no_signal_is_found_by_the_reconciler(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(3)
    drain_outbox()
    assert duties.reconcile() == 0
    Product.objects.filter(pk=Product.objects.first().pk).update(title="renamed behind our back")  # type: ignore[union-attr]
    assert duties.reconcile() == 1
    drain_outbox()
    assert CatalogueEntry.objects.filter(title="renamed behind our back").exists()
    assert duties.reconcile() == 0


def test_the_drift_is_counted_by_the_worker_and_again_after_its_repair(live_release: LiveRelease) -> None:
    assert status.drift_known()["total"] is None
    DemoProductFactory.create_batch(3)
    drain_outbox()
    Product.objects.filter(pk=Product.objects.first().pk).update(title="renamed behind our back")  # type: ignore[union-attr]
    duties.reconcile()
    assert (status.drift_known()["stale"], status.drift_known()["total"]) == (1, 1)
    duties.turn(duties.Clock(), "command", never, duties.run_jobs)
    assert status.drift_known()["total"] == 0


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


def test_a_product_nobody_finished_is_queued_once(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(2)
    drain_outbox()
    CatalogueEntry.objects.update(state="pending")  # a worker died on them, outside the outbox
    assert duties.reconcile() == 2
    assert duties.reconcile() == 0
    assert Outbox.objects.count() == 2


def test_a_duty_is_due_at_once_and_then_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(duties.time, "monotonic", lambda: now[0])
    clock = duties.Clock()
    assert clock.due("purge", 10)
    now[0] = 109.9
    assert not clock.due("purge", 10)
    assert clock.due("reconcile", 10)
    now[0] = 110.0
    assert clock.due("purge", 10)


def test_of_several_processes_one_does_a_duty(settings: Any) -> None:
    duties.cache.delete("shopvision:duty:reconcile")
    assert duties.first_here("reconcile", 60)
    assert not duties.first_here("reconcile", 60)


def test_a_cache_that_is_down_does_not_stop_a_duty(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*args: Any, **kwargs: Any) -> bool:
        raise ConnectionError("no cache")

    monkeypatch.setattr(duties.cache, "add", down)
    assert duties.first_here("reconcile", 60)


def test_purge_deletes_what_is_past_its_time_and_nothing_else() -> None:
    old = StoredSearch.objects.create(kind="photo", payload={}, took_ms=1)
    StoredSearch.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(seconds=3601))
    StoredSearch.objects.create(kind="photo", payload={}, took_ms=1)
    today = timezone.now().date()
    Demand.objects.create(day=today - timedelta(days=91), colour="red")
    Demand.objects.create(day=today - timedelta(days=89), colour="red")
    assert duties.purge() == 2
    assert StoredSearch.objects.count() == Demand.objects.count() == 1


def test_tuning_starts_once_there_are_enough_photos_and_not_again_before_they_doubled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[str] = []
    photos = [0]
    monkeypatch.setattr(duties, "tune_due", lambda: photos[0])
    monkeypatch.setattr(duties.jobs, "start", lambda kind, wake: started.append(kind))
    duties.tune_if_due()
    assert started == []
    photos[0] = 50
    duties.tune_if_due()
    assert started == ["tune"]
    jobs.Job.objects.create(kind="tune", state="done", result={"photos": 50})
    photos[0] = 99
    duties.tune_if_due()
    assert started == ["tune"]
    photos[0] = 100
    duties.tune_if_due()
    assert started == ["tune", "tune"]


def test_photo_searches_are_learned_from_as_often_as_rankers_are_trained(
    monkeypatch: pytest.MonkeyPatch, live_release: Any
) -> None:
    started: list[str] = []
    enough, generic = [False], [True]
    monkeypatch.setattr(duties, "enough_since", lambda row: enough[0])
    monkeypatch.setattr(duties.encoder_releases, "is_generic", lambda row: generic[0])
    monkeypatch.setattr(duties.jobs, "start", started.append)
    duties.tune_from_clicks_if_due()
    enough[0] = True
    duties.tune_from_clicks_if_due()  # the shop's own photos come first
    assert started == []
    generic[0] = False
    duties.tune_from_clicks_if_due()
    assert started == ["tune_from_clicks"]
    job = jobs.Job.objects.create(kind="tune_from_clicks", state="failed")
    duties.tune_from_clicks_if_due()
    assert len(started) == 1
    jobs.Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(days=8))
    duties.tune_from_clicks_if_due()
    assert len(started) == 2
