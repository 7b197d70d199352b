"""Celery tasks of the gpu queue: indexing, jobs and remote encoding."""

# mypy: disallow-untyped-decorators=False
# (Celery ships no types.)
from __future__ import annotations

import base64
import time

from celery import shared_task

from .. import conf
from ..catalogue import outbox
from . import broker, periodic, registration
from .celery_task import OurTask

QUEUE = conf.QUEUES["gpu"]
SLICE_SECONDS = 60.0  # a drain ends after this and asks to be called again: well inside the time limit


@shared_task(base=OurTask, queue=QUEUE)
def drain_outbox() -> int:
    """Work off waiting changes; asks another worker in when there is more than a batch."""
    registration.prepare()
    if outbox.pending() > conf.BATCH_SIZE:
        broker.send_wake("gpu.drain_outbox")
    end = time.monotonic() + SLICE_SECONDS
    done = periodic.drain(lambda: time.monotonic() > end)
    if done and outbox.pending():
        broker.send_wake("gpu.drain_outbox")
    return done


@shared_task(base=OurTask, queue=QUEUE, soft_time_limit=None, time_limit=None)
def run_jobs() -> int:
    """Run waiting jobs that use a network; on this worker's CUDA device if it has one."""
    registration.prepare()
    return periodic.run_jobs(queue="gpu")


@shared_task(base=OurTask, queue=QUEUE, ignore_result=False, acks_late=False, autoretry_for=())
def answer(name: str, payload: str) -> str:
    """Answer a question registered with ``jobs.answer``, in base64 both ways; never tried twice."""
    registration.prepare()
    return base64.b64encode(registration.ANSWERS[name](base64.b64decode(payload))).decode()
