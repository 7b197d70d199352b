"""Base class of commands that need our tables, and running a job with a progress bar."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connections, router
from django.db.migrations.executor import MigrationExecutor
from tqdm import tqdm

from .. import jobs
from ..catalogue.models import CatalogueEntry
from ..exceptions import InvalidRequest
from ..jobs import Job

WATCH_SECONDS = 0.5
STOPPED = (Job.State.CANCELLED, Job.State.FAILED)


def resume_or_start(kind: str, params: dict[str, Any], *, fresh: bool) -> Job:
    """The interrupted job of the same parameters if there is one, else a new one.

    Args:
        fresh: start a new one in any case.
    """
    last = Job.objects.filter(kind=kind, params=params).first()
    if last and last.state in STOPPED and last.cursor and not fresh:
        return jobs.resume(last, wake=False)
    return jobs.start(kind, params, wake=False)


def run_here(job: Job, label: str) -> None:
    """Run it, or watch the worker that was faster; afterwards ``job`` is as stored."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        try:
            jobs.cancel(job)
        except InvalidRequest:
            raise KeyboardInterrupt from None

    bar = tqdm(
        desc=label, disable=None, dynamic_ncols=True, miniters=0
    )  # on a terminal's standard error only
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        while not jobs.run(job, watch=lambda now: _show(bar, now, now.message)):
            job.refresh_from_db()
            if job.state not in jobs.ACTIVE:
                break
            _show(bar, job, "by another worker")
            time.sleep(WATCH_SECONDS)
    finally:
        signal.signal(signal.SIGINT, before)
        bar.close()
        job.refresh_from_db()


def _show(bar: Any, now: Job, note: object) -> None:
    """Draw how far a job is; one that counts nothing shows the time and the note."""
    bar.total = now.total or None
    bar.set_postfix_str(str(note), refresh=False)
    bar.update(now.done - bar.n)


class ReadyCommand(BaseCommand):
    """A command that runs only once the database is up to our migrations."""

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Check, then run.

        Raises:
            CommandError: what to do first.
        """
        if why := why_not_ready():
            raise CommandError(why)
        return super().execute(*args, **options)


def why_not_ready() -> str:
    """What the database lacks and what to do; "" when it is up to our migrations."""
    alias = router.db_for_write(CatalogueEntry)
    try:
        executor = MigrationExecutor(connections[alias])
        lacking = executor.migration_plan(executor.loader.graph.leaf_nodes("shopvision"))
    except DatabaseError as error:
        return f"the database {alias!r} does not answer: {error}"
    if not lacking:
        return ""
    return (
        f"{len(lacking)} migrations are not applied to the database {alias!r}: run python manage.py migrate"
    )
