"""What a worker does each turn: changes, jobs, and the periodic work nobody wakes it for."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from .. import conf, jobs, metrics
from ..catalogue import outbox
from ..classification import retraining
from ..exceptions import TemporaryFailure
from ..indexing import encoder_releases
from ..indexing.change_feed import follow
from ..indexing.pipeline import drain_outbox
from ..privacy import retention
from ..ranking.training import ranker_retraining as learning
from ..search.jobs import queue_differences, tune_due
from ..search.models import StoredSearch
from ..search.status import count_drift
from ..tuning.click_feedback import enough_since
from ..tuning.tuner import measure_generic

HEARTBEAT_SECONDS = 5.0
PURGE_SECONDS = 3600.0
JOBS_KEPT_DAYS = 90
TUNE_AGAIN_AT = 2.0  # times the photos of the last try: a tune that was not promoted is not repeated at once


class Clock:
    """When each duty was last done by this process."""

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
        return bool(cache.add(f"shopvision:duty:{name}", 1, timeout=seconds))
    except Exception as error:  # noqa: BLE001 - any cache backend; doing a duty twice harms nobody
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
        jobs.here_i_am(kind)
    done = drain(stop)
    if done and not stop():
        measure()
    if jobs.waiting().exists():
        start_jobs()
    if clock.due("reconcile", conf.RECONCILE_SECONDS) and not stop():
        differed = reconcile()
        done += drain(stop)
        if differed and not stop():
            count_drift()
    if clock.due("purge", PURGE_SECONDS):
        purge()
    follow_index()
    return done


def drain(stop: Callable[[], bool]) -> int:
    """Work off the outbox a batch at a time, until it is empty or ``stop`` says so."""
    done = 0
    while not stop():
        count = drain_outbox(conf.BATCH_SIZE)
        done += count
        if not count:
            break
    return done


def run_jobs(stop: Callable[[], bool] = lambda: False, queue: str = "") -> int:
    """Run waiting jobs, and tune if what they indexed is enough to learn from; how many were run.

    Args:
        queue: only the kinds of this queue; all of them if not given.
    """
    count = jobs.run_waiting(stop, queue)
    if count and not stop():
        tune_if_due(wake=False)
        count += jobs.run_waiting(stop, queue)
    return count


def reconcile() -> int:
    """Queue the difference between the shop and us, bury orphans, tune and train if due; products that differed."""
    found = queue_differences()
    measure()
    tune_if_due()
    tune_from_clicks_if_due()
    retraining.start_due()
    learning.start_due()
    return sum(found.values())


def measure() -> bool:
    """Keep what is usual in a shop that has not tuned up to date; whether it was measured anew."""
    try:
        return measure_generic()
    except TemporaryFailure:  # nothing is indexed yet
        return False


def tune_if_due(*, wake: bool = True) -> None:
    """Start a tuning job when the live release never saw the shop's photos, and there are enough by now."""
    photos = tune_due()
    if not photos:
        return
    last = jobs.Job.objects.filter(kind="tune").first()
    if last is None or photos >= TUNE_AGAIN_AT * last.result.get("photos", 0):
        jobs.start("tune", wake=wake)


def tune_from_clicks_if_due() -> None:
    """Let the encoder learn from photo searches, as often as rankers are trained, once enough have led to a choice."""
    days = conf.RANKING["train_days"]
    since = timezone.now() - timedelta(days=days)
    if not days or jobs.Job.objects.filter(kind="tune_from_clicks", created_at__gt=since).exists():
        return
    try:
        live = encoder_releases.live().row
    except TemporaryFailure:  # nothing is indexed yet
        return
    if not encoder_releases.is_generic(live) and enough_since(live):
        jobs.start("tune_from_clicks")


def follow_index() -> int:
    """Bring this host's index up to the database; rows applied."""
    try:
        return follow(encoder_releases.live())
    except TemporaryFailure as error:
        metrics.log.debug("nothing to follow: %s", error)
        return 0


def purge() -> int:
    """Delete what its time has come for: stored searches, demand, old jobs, events, consents; rows deleted."""
    now = timezone.now()
    searches = StoredSearch.objects.filter(created_at__lt=now - timedelta(seconds=conf.SEARCH_TTL_SECONDS))
    old = jobs.Job.objects.filter(finished_at__lt=now - timedelta(days=JOBS_KEPT_DAYS))
    done = sum(rows.delete()[0] for rows in (searches, old))
    return done + sum(retention.purge().values())


def work_is_waiting() -> list[str]:
    """The tasks that have something to do: two short queries."""
    due = ["gpu.drain_outbox"] if outbox.pending() > 0 else []
    queues = {
        jobs.KINDS[kind].queue for kind in jobs.waiting().values_list("kind", flat=True) if kind in jobs.KINDS
    }
    return due + [f"{queue}.run_jobs" for queue in sorted(queues)]
