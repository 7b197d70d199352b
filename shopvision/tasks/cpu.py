"""Celery's cpu queue: reconcile, purge, follow, jobs. A task is a decorator and one call.

A shop that runs beat may call ``shopvision.tasks.cpu.tick`` as often as it likes; our workers tick by
themselves, so it need not.
"""

# mypy: disallow-untyped-decorators=False
# (Celery ships no types.)
from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from .. import conf
from . import duties, engine
from .base import OurTask

QUEUE = conf.QUEUES["cpu"]


@shared_task(base=OurTask, queue=QUEUE)
def tick() -> None:
    """All periodic duties, each as often as its setting says, by one worker of all."""
    if duties.first_here("reconcile", conf.RECONCILE_SECONDS * 0.9):
        duties.reconcile()
    if duties.first_here("purge", duties.PURGE_SECONDS):
        duties.purge()
    duties.follow_index()


@shared_task(base=OurTask, queue=QUEUE)
def reconcile() -> int:
    """Queue the difference between the shop's tables and ours."""
    return duties.reconcile()


@shared_task(base=OurTask, queue=QUEUE)
def purge() -> int:
    """Delete what its time has come for."""
    return duties.purge()


@shared_task(base=OurTask, queue=QUEUE)
def follow_index() -> int:
    """Bring this host's index up to the database."""
    return duties.follow_index()


@shared_task(base=OurTask, queue=QUEUE, soft_time_limit=None, time_limit=None)
def run_jobs() -> int:
    """Run waiting jobs of this queue; a job renews its own lease and has no time limit."""
    return duties.run_jobs(queue="cpu")


@worker_ready.connect(dispatch_uid="shopvision-tick")
def _start_ticking(**kwargs: Any) -> None:
    engine.ticker.poke()


@worker_shutting_down.connect(dispatch_uid="shopvision-tick")
def _stop_ticking(**kwargs: Any) -> None:
    engine.ticker.stop.set()
