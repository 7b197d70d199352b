from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from shopvision import conf, jobs
from shopvision.exceptions import InvalidRequest
from shopvision.jobs import Job, JobItem, Kind, runner
from shopvision.messages import Message
from shopvision.types import Step

pytestmark = pytest.mark.django_db
ITEMS = 5
worked: list[int] = []


def count_up(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """A job of five items that goes on where its cursor says."""
    for item in range(cursor.get("next", 0), ITEMS):
        worked.append(item)
        if params.get("break_at") == item:
            raise OSError("the disk is full")
        yield Step(
            done=1,
            total=ITEMS,
            cursor={"next": item + 1},
            message=Message("reading", {"item": item}),
            result={"last": item},
        )


def cost(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"products": ITEMS, "images": 10, "seconds": 2.5, "basis": "a guess"}


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    worked.clear()
    monkeypatch.setitem(jobs.KINDS, "count", Kind("count", count_up, cost, "count to five", counted=True))


def start(**params: Any) -> Job:
    return jobs.start("count", params, wake=False)


def test_a_job_says_what_it_will_cost_before_it_starts() -> None:
    assert jobs.estimate("count") == {"products": 5, "images": 10, "seconds": 2.5, "basis": "a guess"}
    job = start()
    assert (job.state, job.total, job.estimate["seconds"]) == ("queued", 5, 2.5)


def test_a_job_runs_to_its_end_and_shows_every_step() -> None:
    job, seen = start(), []
    assert jobs.run(job, watch=lambda now: seen.append((now.done, now.total, now.message)))
    assert seen == [(done, 5, Message("reading", {"item": done - 1})) for done in range(1, 6)]
    assert (job.state, job.done, job.result["last"], job.lease) == ("done", 5, 4, "")
    assert job.started_at and job.finished_at and job.finished_at >= job.started_at


def test_starting_a_job_that_waits_already_gives_the_same_job() -> None:
    first = start(source="a")
    assert start(source="a").pk == first.pk
    assert start(source="b").pk != first.pk
    jobs.run(first)
    assert start(source="a").pk != first.pk


def test_a_job_of_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="no job called 'fly'"):
        jobs.start("fly")


def test_a_cancelled_job_stops_after_its_step_and_resumes_behind_it() -> None:
    job = start()
    jobs.run(job, watch=lambda now: jobs.cancel(now) if now.done == 2 else None)
    assert (job.state, job.done) == ("cancelled", 2)
    jobs.resume(job, wake=False)
    assert job.state == "queued"
    jobs.run(job)
    assert (job.state, job.done) == ("done", 5)
    assert worked == [0, 1, 2, 3, 4]


def test_a_queued_job_is_cancelled_at_once() -> None:
    job = start()
    jobs.cancel(job)
    assert job.state == "cancelled"
    assert not jobs.run(job)
    assert worked == []


def test_a_job_that_is_done_can_be_neither_cancelled_nor_resumed() -> None:
    job = start()
    jobs.run(job)
    with pytest.raises(InvalidRequest, match="is done and cannot be cancelled"):
        jobs.cancel(job)
    with pytest.raises(InvalidRequest, match="is done and cannot be resumed"):
        jobs.resume(job)


def test_a_job_that_fails_says_why_and_resumes_at_the_same_item() -> None:
    job = start(break_at=3)
    jobs.run(job)
    assert (job.state, job.done, str(job.message)) == ("failed", 3, "OSError: the disk is full")
    Job.objects.update(params={})
    job.refresh_from_db()
    jobs.resume(job, wake=False)
    jobs.run(job)
    assert worked == [0, 1, 2, 3, 3, 4]
    assert job.state == "done"


def test_a_worker_told_to_stop_puts_its_job_back_for_another() -> None:
    job = start()
    jobs.run(job, stop=lambda: len(worked) == 2)
    assert (job.state, job.lease, job.done) == ("queued", "", 2)
    jobs.run(job)
    assert worked == [0, 1, 2, 3, 4]


def abandon(job: Job, **values: Any) -> None:
    """Leave the job as a killed worker leaves it."""
    past = timezone.now() - timedelta(seconds=1)
    Job.objects.filter(pk=job.pk).update(state="running", lease="dead", leased_until=past, **values)


def test_a_job_whose_worker_was_killed_is_taken_over_when_its_lease_ran_out() -> None:
    job = start()
    abandon(job, done=2, cursor={"next": 2})
    assert jobs.run_waiting() == 1
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 5)
    assert worked == [2, 3, 4]


def test_a_job_another_worker_holds_is_left_alone() -> None:
    job = start()
    later = timezone.now() + timedelta(seconds=60)
    Job.objects.update(state="running", lease="other", leased_until=later)
    assert not jobs.run(job)
    assert jobs.run_waiting() == 0


def test_a_job_that_kills_every_worker_is_given_up() -> None:
    job = start()
    for _ in range(conf.MAX_ATTEMPTS - 1):
        attempts = Job.objects.get(pk=job.pk).attempts
        abandon(job)
        Job.objects.update(attempts=attempts + 1)
    abandon(job)
    assert jobs.run_waiting() == 0
    job.refresh_from_db()
    assert (job.state, str(job.message)) == ("failed", "3 workers died on it without a step forward")


def test_a_cancelling_job_whose_worker_died_is_cancelled() -> None:
    job = start()
    past = timezone.now() - timedelta(seconds=1)
    Job.objects.update(state="cancelling", lease="dead", leased_until=past)
    assert not jobs.run(job)
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_a_worker_that_lost_its_lease_writes_nothing_more() -> None:
    job = start()

    def lose(now: Job) -> None:
        if now.done == 2:
            Job.objects.update(lease="thief")

    jobs.run(job, watch=lose)
    assert (job.state, job.done, job.lease) == ("running", 2, "thief")


def test_one_failure_of_the_database_does_not_end_the_renewal_of_a_lease(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "LEASE_SECONDS": 1}
    tries: list[str] = []
    renewed = threading.Event()

    def update(**values: Any) -> int:
        tries.append("renewal")
        if len(tries) == 1:
            raise OperationalError("database table is locked")
        renewed.set()
        return 1

    monkeypatch.setattr(Job.objects, "filter", lambda **_: SimpleNamespace(update=update))
    with runner._kept(Job(kind="count"), "token"):
        assert renewed.wait(10)


def test_chosen_items_are_written_in_batches_and_told_apart(
    monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(runner, "ITEMS_PER_INSERT", 100)
    unwritten: list[int] = []

    def keys(count: int) -> Iterator[str]:
        before = JobItem.objects.count()
        for number in range(count):
            unwritten.append(number + before - JobItem.objects.count())
            yield f"key {number}"

    job = jobs.start("count", items=keys(250), wake=False)
    assert (job.total, job.params["chosen"], max(unwritten)) == (250, 250, 99)
    assert list(job.items.order_by("position").values_list("key", flat=True)[248:]) == ["key 248", "key 249"]
    assert jobs.start("count", items=keys(250), wake=False).pk == job.pk
    assert jobs.start("count", items=keys(249), wake=False).pk != job.pk
    assert JobItem.objects.count() == 250 + 249
    with django_assert_max_num_queries(20):
        jobs.start("count", items=map(str, range(300)), wake=False)
    with pytest.raises(InvalidRequest, match="nothing chosen"):
        jobs.start("count", items=[], wake=False)
    assert Job.objects.count() == 3
