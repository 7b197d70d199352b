"""Celery tasks of the cpu queue: periodic work and jobs.

A shop that runs beat may call ``shopvision.jobs.cpu.tick`` as often as it likes; our workers tick by
themselves, so it need not.
"""

# mypy: disallow-untyped-decorators=False
# (Celery ships no types.)
from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from .. import conf
from . import engine, periodic
from .celery_task import OurTask

QUEUE = conf.QUEUES["cpu"]


@shared_task(base=OurTask, queue=QUEUE)
def tick() -> None:
    """All periodic work, each as often as it was registered for, by one worker of all."""
    periodic.run_shared()


@shared_task(base=OurTask, queue=QUEUE, soft_time_limit=None, time_limit=None)
def run_jobs() -> int:
    """Run waiting jobs of this queue; a job renews its own lease and has no time limit."""
    return periodic.run_jobs(queue="cpu")


@worker_ready.connect(dispatch_uid="shopvision-tick")
def _start_ticking(**kwargs: Any) -> None:
    engine.ticker.poke()


@worker_shutting_down.connect(dispatch_uid="shopvision-tick")
def _stop_ticking(**kwargs: Any) -> None:
    engine.ticker.stop.set()
