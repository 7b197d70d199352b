"""Tally: how many visitors of each arm did what; added up in memory, written by a thread that no page waits for."""

from __future__ import annotations

import atexit
import threading
from collections import Counter
from datetime import date

from django.db import DatabaseError, router, transaction
from django.db.models import F
from django.utils import timezone

from .. import conf, telemetry
from ..background import Background
from .models import ExperimentCount

LINGER_SECONDS = 1.0
MOST_CELLS = 1000  # waiting; an experiment has a dozen a day
Cell = tuple[int, date, str, str]
_waiting: Counter[Cell] = Counter()
_lock = threading.Lock()


def add(experiment: int, arm: str, outcome: str) -> None:
    """One visitor more; never waits for the database (engine ``immediate`` does)."""
    cell = (experiment, timezone.now().date(), arm, outcome)
    with _lock:
        if cell in _waiting or len(_waiting) < MOST_CELLS:
            _waiting[cell] += 1
        else:
            telemetry.count("experiment_dropped")
    if conf.ENGINE == "immediate":
        write()
    else:
        thread.poke()


def write() -> bool:
    """Write what waits; False when the database would not take it, and it waits on."""
    with _lock:
        taken = dict(_waiting)
        _waiting.clear()
    try:
        with transaction.atomic(using=router.db_for_write(ExperimentCount)):
            for (experiment, day, arm, outcome), more in taken.items():
                row, _ = ExperimentCount.objects.get_or_create(
                    experiment_id=experiment, day=day, arm=arm, outcome=outcome
                )
                ExperimentCount.objects.filter(pk=row.pk).update(count=F("count") + more)
    except DatabaseError as error:
        telemetry.count("experiment_write_failed")
        telemetry.log.warning("counts of an experiment wait for the database: %s", error)
        with _lock:
            _waiting.update(taken)
        return False
    return True


def _work(stop: threading.Event, news: threading.Event) -> None:
    while not stop.is_set():
        news.wait()
        news.clear()
        stop.wait(LINGER_SECONDS)
        while _waiting and not write() and not stop.is_set():
            stop.wait(LINGER_SECONDS)


def _end() -> None:
    if thread.started:
        thread.end()
    if _waiting:
        write()


thread = Background("shopvision-tally", _work)
atexit.register(_end)
