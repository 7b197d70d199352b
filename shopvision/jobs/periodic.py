"""Periodic work of a worker: drain changes, run jobs, and registered intervals."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from .. import conf, metrics
from ..catalogue import outbox
from ..privacy import retention
from . import heartbeat, registration, runner
from .models import Job
from .registration import KINDS, PERIODIC, attempt, every, run_after

HEARTBEAT_SECONDS = 5.0
PURGE_SECONDS = 3600.0
JOBS_KEPT_DAYS = 90
EARLY = 0.9  # a period that another process began a little later than this one's clock is over, too


class Clock:
    """When each piece of work was last done by this process."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def due(self, name: str, seconds: float) -> bool:
        """True once per ``seconds``, the first time at once."""
        now = time.monotonic()
        if name in self._last and now - self._last[name] < seconds:
            return False
        self._last[name] = now
        return True


def first_here(name: str, seconds: float) -> bool:
    """True for one process per ``seconds``, as far as the shop's cache is shared; True if it is down."""
    try:
        return bool(cache.add(f"shopvision:periodic:{name}", 1, timeout=seconds))
    except Exception as error:  # noqa: BLE001 - any cache backend; doing it twice harms nobody
        metrics.log.warning("the cache does not answer (%s); doing %s anyway", error, name)
        return True


def turn(clock: Clock, kind: str, stop: Callable[[], bool], start_jobs: Callable[[], object]) -> int:
    """One round of everything that is due; the number of changes worked off.

    Args:
        clock: of this worker.
        kind: shown beside its heartbeat.
        stop: true when it should end; asked between batches.
        start_jobs: called when a job waits; a long job must not hold up changes.
    """
    if clock.due("heartbeat", HEARTBEAT_SECONDS):
        heartbeat.here_i_am(kind)
    done = drain(stop)
    if runner.waiting().exists():
        start_jobs()
    for work in list(PERIODIC.values()):
        if not stop() and clock.due(work.name, work.seconds()):
            attempt(work.name, work.run)
    return done + drain(stop)


def due(clock: Clock) -> bool:
    """Whether some work has to be done now, by this process's clock; what is done each round does not count."""
    asked = [clock.due(work.name, work.seconds()) for work in list(PERIODIC.values()) if work.seconds() > 0]
    return any(asked)


def run_shared() -> None:
    """Do the periodic work that no other process has done in time."""
    for work in list(PERIODIC.values()):
        seconds = work.seconds()
        if not seconds or first_here(work.name, seconds * EARLY):
            attempt(work.name, work.run)


def drain(stop: Callable[[], bool]) -> int:
    """Work off the outbox a batch at a time, until it is empty or ``stop`` says so; then what follows."""
    done = 0
    while not stop():
        count = registration.drain(conf.BATCH_SIZE)
        done += count
        if not count:
            break
    if done and not stop():
        run_after("changes")
    return done


def run_jobs(stop: Callable[[], bool] = lambda: False, queue: str = "") -> int:
    """Run waiting jobs, then what follows jobs, and the jobs that it started; how many were run.

    Args:
        queue: only the kinds of this queue; all of them if not given.
    """
    count = runner.run_waiting(stop, queue)
    if count and not stop():
        run_after("jobs")
        count += runner.run_waiting(stop, queue)
    return count


def work_is_waiting() -> list[str]:
    """The tasks that have something to do: two short queries."""
    tasks = ["gpu.drain_outbox"] if outbox.pending() > 0 else []
    kinds = runner.waiting().values_list("kind", flat=True)
    queues = {KINDS[kind].queue for kind in kinds if kind in KINDS}
    return tasks + [f"{queue}.run_jobs" for queue in sorted(queues)]


def purge() -> int:
    """Delete old jobs, and what privacy keeps only for a time; rows deleted."""
    old = Job.objects.filter(finished_at__lt=timezone.now() - timedelta(days=JOBS_KEPT_DAYS))
    return old.delete()[0] + sum(retention.purge().values())


every("purge", seconds=PURGE_SECONDS, run=purge)  # privacy lies below jobs and cannot register it
