"""Start, run, cancel and resume jobs, with leases, progress and errors."""

from __future__ import annotations

import hashlib
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import DatabaseError, connections, models, transaction
from django.db.models import F, Q
from django.utils import timezone

from .. import conf, metrics
from ..exceptions import InvalidRequest, ShopvisionError, TemporaryFailure
from ..messages import Message, error_message
from .models import Job, JobError, JobItem
from .registration import KINDS, kind_of, run_after

S = Job.State
ACTIVE = (S.QUEUED, S.RUNNING, S.CANCELLING)
on_start: list[Callable[[], None]] = []
"""Called after the commit that queued a job; ``jobs.engine`` puts its wake-up here."""
ITEMS_PER_INSERT = 2000  # rows in memory at once


def estimate(kind: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the job would cost, before it starts: ``{products, images, seconds, basis}``.

    Raises:
        InvalidRequest: no such kind, or it cannot be started.
    """
    return kind_of(kind).estimate(dict(params or {}))


def impossible(kind: str, params: Mapping[str, Any]) -> str:
    """Why such a job cannot be started; empty where it can."""
    try:
        estimate(kind, params)
    except ShopvisionError as error:
        return str(error)
    return ""


def start(
    kind: str,
    params: Mapping[str, Any] | None = None,
    user: Any = None,
    *,
    items: Iterable[str] | None = None,
    wake: bool = True,
) -> Job:
    """Queue a job and wake a worker; if the same job is already queued or running, that one is returned.

    Args:
        kind: a registered one.
        params: what its function takes; JSON.
        user: who asked for it.
        items: keys of what it works on, in the order of work; kept as ``JobItem``, and in the params
            ``chosen``, their number, and ``digest``. Read once, a batch at a time.
        wake: False for a caller that runs it itself.

    Raises:
        InvalidRequest: no such kind, it cannot be started, or there are no items.
    """
    given = dict(params or {})
    known = estimate(kind, given)
    with transaction.atomic():
        if items is None and (same := _active(kind, given)):
            return same
        owner = user if getattr(user, "is_authenticated", False) else None
        counted = int(known.get("products") or 0) if KINDS[kind].counted else 0
        job = Job.objects.create(kind=kind, params=given, estimate=known, total=counted, created_by=owner)
        if items is not None:
            given |= _store_items(job, items)
            if same := _active(kind, given):
                job.delete()
                return same
            job.params, job.total = given, given["chosen"]
            job.save(update_fields=["params", "total"])
        if wake:
            transaction.on_commit(_wake)
    return job


def _active(kind: str, params: dict[str, Any]) -> Job | None:
    """The same job, if it is queued or running."""
    rows = Job.objects.select_for_update().filter(kind=kind, state__in=ACTIVE)
    return next((job for job in rows if job.params == params), None)


def _store_items(job: Job, items: Iterable[str]) -> dict[str, Any]:
    """Write what a job works on, in batches; the params that tell these items from others.

    Raises:
        InvalidRequest: there are none.
    """
    count, digest, rest = 0, hashlib.sha256(), iter(items)
    while keys := list(islice(rest, ITEMS_PER_INSERT)):
        rows = [JobItem(job=job, position=count + place, key=key) for place, key in enumerate(keys, 1)]
        JobItem.objects.bulk_create(rows)
        count += len(keys)
        digest.update("\n".join([*keys, ""]).encode())
    if not count:
        raise InvalidRequest("nothing_chosen", code="invalid_selection")
    return {"chosen": count, "digest": digest.hexdigest()}


def _wake() -> None:
    for hook in on_start:
        hook()


def cancel(job: Job) -> Job:
    """Stop a job after the batch in hand; what is done stays done.

    Raises:
        InvalidRequest: it is not queued or running.
    """
    rows = Job.objects.filter(pk=job.pk)
    queued = rows.filter(state=S.QUEUED).update(state=S.CANCELLED, finished_at=timezone.now())
    if not queued and not rows.filter(state=S.RUNNING).update(state=S.CANCELLING):
        state = Job.objects.get(pk=job.pk).state
        raise InvalidRequest(
            "job_cannot_be_cancelled", code="conflict", kind=job.kind, id=job.pk, state=state
        )
    job.refresh_from_db()
    return job


def resume(job: Job, *, wake: bool = True) -> Job:
    """Queue a cancelled or failed job again, to go on where it stopped; ``wake`` as in ``start``.

    Raises:
        InvalidRequest: it was neither cancelled nor failed.
    """
    stopped = Job.objects.filter(pk=job.pk, state__in=(S.CANCELLED, S.FAILED))
    if not stopped.update(state=S.QUEUED, finished_at=None, message=None, attempts=0, lease=""):
        state = Job.objects.get(pk=job.pk).state
        raise InvalidRequest("job_cannot_be_resumed", code="conflict", kind=job.kind, id=job.pk, state=state)
    if wake:
        transaction.on_commit(_wake)
    job.refresh_from_db()
    return job


def waiting(queue: str = "") -> models.QuerySet[Job]:
    """Jobs a worker may take, oldest first: queued ones, and those whose worker let its lease run out.

    Args:
        queue: only the kinds of this queue; all of them if not given.
    """
    now = timezone.now()
    abandoned = Q(state__in=(S.RUNNING, S.CANCELLING), leased_until__lt=now)
    found = Job.objects.filter(Q(state=S.QUEUED) | abandoned).order_by("created_at")
    if not queue:
        return found
    return found.filter(kind__in=[name for name, kind in KINDS.items() if kind.queue == queue])


def run_waiting(stop: Callable[[], bool] = lambda: False, queue: str = "") -> int:
    """Run waiting jobs, oldest first, until there is none or ``stop`` says so; how many were run."""
    count = 0
    while not stop() and (job := waiting(queue).first()) is not None:
        count += run(job, stop=stop)
    return count


def run(
    job: Job, *, stop: Callable[[], bool] = lambda: False, watch: Callable[[Job], None] = lambda job: None
) -> bool:
    """Run one job to its end, or until it is cancelled or ``stop`` says so; False if another worker has it.

    Told to stop, it goes back to the queue and another worker resumes it. What it raises is kept in its
    message; it never reaches the caller. ``watch`` is called after every step, with the job as stored.
    """
    token = _take(job)
    if token is None:
        return False
    log = metrics.log
    with _kept(job, token):
        try:
            state, message = _walk(job, token, stop, watch), None
        except ShopvisionError as error:  # says what is wrong; a traceback adds nothing
            log.warning("job %s failed: %s", job, error)
            state, message = S.FAILED, error.message
        except Exception as error:
            log.exception("job %s failed", job)
            state, message = S.FAILED, error_message(error)
    finished = timezone.now() if state != S.QUEUED else None
    values: dict[str, Any] = {"state": state, "lease": "", "leased_until": None, "finished_at": finished}
    if message or state == S.DONE:
        values["message"] = message
    Job.objects.filter(pk=job.pk, lease=token).update(**values)
    job.refresh_from_db()
    if job.state == S.DONE:
        run_after(job.kind)
    metrics.event("job_ended", job=str(job.pk), kind=job.kind, state=job.state, done=job.done)
    return True


def _take(job: Job) -> str | None:
    """Hold the job under a fresh lease; None when it is not ours to take."""
    token, now = str(uuid.uuid4()), timezone.now()
    free = waiting().filter(pk=job.pk)
    abandoned = free.exclude(state=S.QUEUED)
    abandoned.filter(state=S.CANCELLING).update(state=S.CANCELLED, finished_at=now, lease="")
    too_often = abandoned.filter(attempts__gte=conf.MAX_ATTEMPTS - 1)
    why = Message("workers_died_on_job", {"attempts": conf.MAX_ATTEMPTS})
    too_often.update(state=S.FAILED, finished_at=now, lease="", message=why)
    abandoned.update(attempts=F("attempts") + 1, state=S.QUEUED, lease="", leased_until=None)
    queued = Job.objects.filter(pk=job.pk, state=S.QUEUED, lease="")
    if not queued.update(state=S.RUNNING, lease=token, leased_until=_until()):
        return None
    Job.objects.filter(pk=job.pk, started_at=None).update(started_at=now)
    job.refresh_from_db()
    return token


def _until() -> Any:
    return timezone.now() + timedelta(seconds=conf.LEASE_SECONDS)


@contextmanager
def _kept(job: Job, token: str) -> Iterator[None]:
    """Renew the lease beside a step that takes long."""
    done = threading.Event()

    def renew() -> None:
        while not done.wait(conf.LEASE_SECONDS / 3):
            try:
                Job.objects.filter(pk=job.pk, lease=token).update(leased_until=_until())
            except DatabaseError as error:  # locked, or away for a moment: the next turn may come in time
                metrics.log.warning("the lease of job %s could not be renewed: %s", job, error)
                connections.close_all()
        connections.close_all()

    keeper = threading.Thread(target=renew, name="shopvision-lease", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join(timeout=5)


def _walk(job: Job, token: str, stop: Callable[[], bool], watch: Callable[[Job], None]) -> str:
    """Take the job's steps, saving each; the state it ends in."""
    begun = time.monotonic()
    cursor = {**job.cursor, "resumed": job.attempts > 0, "job": str(job.pk)}
    for step in kind_of(job.kind).steps(dict(job.params), cursor):
        job.result = {**job.result, **step.result}
        values: dict[str, Any] = {"done": F("done") + step.done, "failed": F("failed") + step.failed}
        if step.done:
            values["attempts"] = 0
        if step.total is not None:
            values["total"] = step.total
        if step.cursor:
            values["cursor"] = dict(step.cursor)
        _keep_errors(job, step.errors)
        mine = Job.objects.filter(pk=job.pk, lease=token)
        if not mine.update(leased_until=_until(), message=step.message, result=job.result, **values):
            raise TemporaryFailure("job_lease_lost")
        job.refresh_from_db()
        watch(job)
        if job.state == S.CANCELLING:
            return S.CANCELLED
        if stop():
            return S.QUEUED
    spent = job.result.get("seconds", 0.0) + time.monotonic() - begun
    Job.objects.filter(pk=job.pk, lease=token).update(result={**job.result, "seconds": round(spent, 2)})
    return S.DONE


def _keep_errors(job: Job, errors: Mapping[str, Message]) -> None:
    JobError.objects.bulk_create(
        [JobError(job=job, item=item[:360], message=message) for item, message in errors.items()],
        update_conflicts=True,
        unique_fields=["job", "item"],
        update_fields=["message", "created_at"],
    )
