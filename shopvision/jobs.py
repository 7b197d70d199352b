"""Job rows: estimate, progress, cancel, resume; what the admin and the API show."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connections, models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from . import conf, metrics
from .exceptions import InvalidRequest, ShopvisionError, TemporaryFailure
from .messages import Message, MessageEncoder, MessageField, error_message
from .privacy.registry import holds_no_person

WORKER_SEEN_SECONDS = 30.0  # a worker that wrote nothing for longer is taken for dead


class Job(models.Model):
    """Work that takes longer than a request: its size, how far it is, and who may stop it."""

    class State(models.TextChoices):
        """queued -> running -> done | failed | cancelled; a cancelled or failed job can be resumed."""

        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        CANCELLING = "cancelling", _("cancelling")
        CANCELLED = "cancelled", _("cancelled")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=32)  # a key of jobs.KINDS
    params = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED, db_index=True)
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cursor = models.JSONField(default=dict, blank=True, help_text="where to resume")
    estimate = models.JSONField(
        default=dict, blank=True, encoder=MessageEncoder, help_text="{images, seconds, basis}"
    )
    result = models.JSONField(default=dict, blank=True, encoder=MessageEncoder)
    message = MessageField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    lease = models.CharField(max_length=36, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0, help_text="workers that died on it since it last moved")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        app_label = "shopvision"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class JobError(models.Model):
    """What went wrong with one item of a job; the other items went on."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="errors")
    item = models.CharField(max_length=360, help_text="product reference, or whatever the job works on")
    message = MessageField()
    created_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "shopvision"
        constraints = [models.UniqueConstraint(fields=["job", "item"], name="shopvision_job_error_once")]

    def __str__(self) -> str:
        return f"{self.item}: {self.message}"


class Worker(models.Model):
    """A process that does background work; it says "here I am" every few seconds."""

    name = models.CharField(primary_key=True, max_length=100, help_text="host:process id")
    kind = models.CharField(max_length=16, help_text="thread, command or celery")
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        app_label = "shopvision"

    def __str__(self) -> str:
        return self.name


holds_no_person(Job, "names the member of staff whose work it was; emptied when that user is deleted")
holds_no_person(JobError, "names an item of the catalogue")
holds_no_person(Worker, "names a process of the shop's servers")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a job of this kind runs.

    Args:
        steps: dotted path of ``(params, cursor) -> Iterator[Step]``; loaded when a job starts, so that the
            web process does not import the machinery. The cursor is that of the last step, with ``resumed``
            (its worker died) and ``job`` (the job's key) beside it.
        estimate: dotted path of ``(params) -> {images, seconds, basis}``.
        words: what it does, for a person.
        queue: ``cpu``, or ``gpu`` for what runs a network; with Celery a worker of that queue runs it.
        bare: can be started without params, from the list of jobs.
        counted: its steps count products; the others only say what they are doing.
    """

    steps: str
    estimate: str
    words: str
    queue: str = "cpu"
    bare: bool = True
    counted: bool = False


_BULK = "shopvision.search.jobs."
_SWITCH = "shopvision.tuning.promotion."
_CLASSIFY = "shopvision.classification.jobs."
_RANK = "shopvision.ranking.jobs."
# fmt: off
KINDS: dict[str, Kind] = {
    "index_all": Kind(_BULK + "index_all", _BULK + "estimate_index",
                      "Look at every product and index what changed", counted=True),
    "reconcile": Kind(_BULK + "reconcile", _BULK + "estimate_walk",
                      "Compare the shop with the index, queue the difference"),
    "tune": Kind(_BULK + "tune", _BULK + "estimate_tune", "Fit the encoder to the catalogue's own photos"),
    "tune_from_clicks": Kind(_BULK + "tune_from_clicks", _BULK + "estimate_tune", "Learn from photo searches, too"),
    "duplicates": Kind(_BULK + "duplicates", _BULK + "estimate_walk", "Find products that share a photo"),
    "promote": Kind(_SWITCH + "promote_steps", _SWITCH + "estimate_promote",
                    "Make another encoder release the live one", bare=False, counted=True),
    "train": Kind(_CLASSIFY + "train", _CLASSIFY + "estimate_train",
                  "Train a classifier on the shop's own labels", "gpu"),
    "classify": Kind(_CLASSIFY + "classify", _CLASSIFY + "estimate_classify",
                     "Suggest labels for products", "gpu", bare=False, counted=True),
    "undo": Kind(_CLASSIFY + "undo", _CLASSIFY + "estimate_undo",
                 "Undo what a classify job applied", bare=False),
    "train_ranker": Kind(_RANK + "train_ranker", _RANK + "estimate_train", "Train a ranker on what was chosen", "gpu"),
    "refresh_knowledge": Kind(_RANK + "refresh_knowledge", _RANK + "estimate_refresh", "Learn what goes with what"),
}
# fmt: on

S = Job.State
ACTIVE = (S.QUEUED, S.RUNNING, S.CANCELLING)
on_start: list[Callable[[], None]] = []
"""Called after the commit that queued a job; ``tasks.engine`` puts its wake-up here."""


def estimate(kind: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the job would cost, before it starts: ``{images, seconds, basis}``.

    Raises:
        InvalidRequest: no such kind.
    """
    answer: dict[str, Any] = import_string(_kind(kind).estimate)(dict(params or {}))
    return answer


def start(kind: str, params: Mapping[str, Any] | None = None, user: Any = None, *, wake: bool = True) -> Job:
    """Queue a job and wake a worker; if the same job is already queued or running, that one is returned.

    Args:
        kind: a key of ``KINDS``.
        params: what its function takes; JSON.
        user: who asked for it.
        wake: False for a caller that runs it itself.

    Raises:
        InvalidRequest: no such kind.
    """
    known = estimate(kind, params)
    with transaction.atomic():
        for job in Job.objects.select_for_update().filter(kind=kind, state__in=ACTIVE):
            if job.params == dict(params or {}):
                return job
        owner = user if getattr(user, "is_authenticated", False) else None
        job = Job.objects.create(
            kind=kind,
            params=dict(params or {}),
            estimate=known,
            total=int(known.get("products") or 0) if KINDS[kind].counted else 0,
            created_by=owner,
        )
        if wake:
            transaction.on_commit(_wake)
    return job


def _wake() -> None:
    for hook in on_start:
        hook()


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise InvalidRequest("unknown_job_kind", code="unknown_job", name=name, names=", ".join(KINDS))
    return KINDS[name]


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
    for step in import_string(_kind(job.kind).steps)(dict(job.params), cursor):
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


def here_i_am(kind: str) -> None:
    """Write this process's heartbeat."""
    name, now = f"{socket.gethostname()}:{os.getpid()}"[-100:], timezone.now()
    if not Worker.objects.filter(name=name).update(seen_at=now, kind=kind):
        Worker.objects.get_or_create(name=name, defaults={"kind": kind})


def good_bye() -> None:
    """Take this process's heartbeat back, and those of workers silent for a day."""
    name = f"{socket.gethostname()}:{os.getpid()}"[-100:]
    silent = Q(seen_at__lt=timezone.now() - timedelta(days=1))
    Worker.objects.filter(Q(name=name) | silent).delete()


def workers_alive() -> models.QuerySet[Worker]:
    """Workers that said "here I am" within ``WORKER_SEEN_SECONDS``."""
    return Worker.objects.filter(seen_at__gte=timezone.now() - timedelta(seconds=WORKER_SEEN_SECONDS))
