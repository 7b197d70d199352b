"""Run a job here, in front of a person: a progress bar, and an interrupt that stops it after the batch in hand."""

from __future__ import annotations

import signal
import time
from types import FrameType

from .. import jobs
from ..exceptions import InvalidRequest
from ..jobs import Job
from .progress import Progress

WATCH_SECONDS = 0.5


def run_here(job: Job, label: str) -> None:
    """Run it, or watch the worker that was faster; afterwards ``job`` is as stored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        try:
            jobs.cancel(job)
        except InvalidRequest:
            raise KeyboardInterrupt from None

    bar = Progress(label)
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        while not jobs.run(job, watch=lambda now: bar.show(now.done, now.total, now.message)):
            job.refresh_from_db()
            if job.state not in jobs.ACTIVE:
                break
            bar.show(job.done, job.total, "by another worker")
            time.sleep(WATCH_SECONDS)
    finally:
        signal.signal(signal.SIGINT, before)
        bar.close()
        job.refresh_from_db()
