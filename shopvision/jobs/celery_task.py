"""Base class of our Celery tasks: late acknowledgement, time limits, retries."""

from __future__ import annotations

from celery import Task
from django.db import OperationalError

from ..exceptions import TemporaryFailure

SOFT_LIMIT_SECONDS = 240
HARD_LIMIT_SECONDS = 300


class OurTask(Task):  # type: ignore[misc]
    """Settings of our tasks only; the shop's own tasks keep theirs.

    A message is acknowledged when its work is done, and goes back when its worker is killed. What passes by
    itself is tried again, later and later; anything else is a defect and is raised.
    """

    acks_late = True
    reject_on_worker_lost = True
    ignore_result = True
    soft_time_limit = SOFT_LIMIT_SECONDS
    time_limit = HARD_LIMIT_SECONDS
    autoretry_for = (TemporaryFailure, OperationalError)
    max_retries = 3
    retry_backoff = 2
    retry_jitter = True
