"""Bounded event buffer, written to the database in batches by a background thread."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    router,
    transaction,
)

from .. import conf, metrics, signals
from ..privacy.erasure import digest
from ..privacy.models import ErasedSubject
from ..threads import Background
from .attribution import join
from .models import Event, ProductCount

MOST_BUFFERED = 10_000  # about 10 MB; more are dropped and counted
BATCH = 400  # rows of a transaction; SQLite takes 999 parameters
LINGER_SECONDS = 0.2  # waiting this long makes batches of single events
RETRY_SECONDS = 1.0
LAST_SECONDS = 3.0  # how long the end of the process waits for the database
FORK_SECONDS = 2.0  # how long a fork waits for a batch in hand
RECENT_KEYS = 4096  # repeats of these are dropped before they reach the database


@dataclass(frozen=True, slots=True)
class Pending:
    """An event on its way to the database.

    Args:
        row: columns of its Event; None when only a sum may grow.
        count: day, product and kind it adds one to; None when it adds to nothing.
        lineage: pseudonyms it may be joined across.
        since: when the consent it was recorded under began.
    """

    key: str
    at: datetime
    row: dict[str, object] | None
    count: tuple[str, str, str] | None
    lineage: tuple[str, ...] = ()
    since: datetime | None = None


class Buffer:
    """A bounded queue between pages and the writer; a forked child starts with an empty one."""

    def __init__(self) -> None:
        self.clear()
        os.register_at_fork(before=self._pause, after_in_parent=self._go_on, after_in_child=self.clear)

    def _pause(self) -> None:
        """No write is under way while the process forks: a child would inherit locks nobody opens."""
        self._paused = self.writing.acquire(timeout=FORK_SECONDS)

    def _go_on(self) -> None:
        if self._paused:
            self.writing.release()

    def clear(self) -> None:
        """Forget all: a fork's child must not write what its parent will."""
        self._lock = threading.Lock()
        self.writing = threading.Lock()
        self._waiting: deque[Pending] = deque()
        self._keys: OrderedDict[str, None] = OrderedDict()

    def add(self, events: Sequence[Pending]) -> int:
        """Take what there is room for; how many. Repeats of recent keys are left out."""
        taken = 0
        with self._lock:
            for one in events:
                if one.key in self._keys:
                    metrics.count("events_repeated")
                elif len(self._waiting) >= MOST_BUFFERED:
                    metrics.count("events_dropped")
                else:
                    self._waiting.append(one)
                    self._keys[one.key] = None
                    taken += 1
            while len(self._keys) > RECENT_KEYS:
                self._keys.popitem(last=False)
        return taken

    def take(self) -> list[Pending]:
        """The next batch, oldest first."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def give_back(self, events: Sequence[Pending]) -> None:
        """Put a batch that could not be written back to the front, as far as there is room."""
        with self._lock:
            room = max(0, MOST_BUFFERED - len(self._waiting))
            self._waiting.extendleft(reversed(events[:room]))
            metrics.count("events_dropped", max(0, len(events) - room))

    def __len__(self) -> int:
        return len(self._waiting)


def put(events: Sequence[Pending]) -> int:
    """Hand events to the writer; how many it took. Never waits for the database (engine ``immediate`` does)."""
    taken = buffer.add(events)
    if not taken:
        return 0
    if conf.ENGINE == "immediate":
        write_waiting()
    else:
        thread.poke()
    return taken


def write_waiting() -> bool:
    """Write all that waits; False when the database would not take it, and it waits on."""
    with buffer.writing:
        while batch := buffer.take():
            try:
                with metrics.timed("events_write"):
                    write(batch)
            except (OperationalError, InterfaceError) as error:
                metrics.count("events_write_failed")
                metrics.log.warning("%d events wait for the database: %s", len(batch), error)
                buffer.give_back(batch)
                return False
            except Exception:  # noqa: BLE001 - one of them cannot be written; the others can
                _write_singly(batch)
    return True


def flush(seconds: float = LAST_SECONDS) -> bool:
    """Write what waits now, in the caller's thread; True when nothing is left."""
    deadline = time.monotonic() + seconds
    while not write_waiting():
        if time.monotonic() + RETRY_SECONDS / 4 > deadline:
            return False
        time.sleep(RETRY_SECONDS / 4)
    return True


def write(batch: Sequence[Pending]) -> int:
    """Write a batch in one transaction; rows that are new. What was erased or written before is left out."""
    using = router.db_for_write(Event)
    with transaction.atomic(using=using):
        fresh = _new(batch)
        rows = [(Event(**one.row), one) for one in fresh if one.row]
        Event.objects.bulk_create([row for row, _ in rows], ignore_conflicts=True)
        sums = Counter(one.count for one in fresh if one.count)
        ProductCount.objects.bulk_create(
            [ProductCount(day=day, product=ref, kind=kind, count=n) for (day, ref, kind), n in sums.items()]
        )
        join(rows)
    metrics.count("events_written", len(rows))
    if signals.event_recorded.receivers:
        for row, _ in rows:
            signals.event_recorded.send_robust(Event, event=row)
    return len(rows)


def _new(batch: Sequence[Pending]) -> list[Pending]:
    """Those whose key is not in the table, under a consent that no erasure has ended since."""
    keys = [one.key for one in batch if one.row]
    known = set(Event.objects.filter(key__in=keys).values_list("key", flat=True)) if keys else set()
    subjects = {digest(str(one.row["subject"])): str(one.row["subject"]) for one in batch if one.row}
    erased = {
        subjects[mark]: at
        for mark, at in ErasedSubject.objects.filter(digest__in=list(subjects))
        .order_by("at")
        .values_list("digest", "at")
    }
    return [one for one in batch if one.key not in known and not _is_erased(one, erased)]


def _is_erased(one: Pending, erased: dict[str, datetime]) -> bool:
    if not one.row or str(one.row["subject"]) not in erased:
        return False
    return one.since is None or one.since <= erased[str(one.row["subject"])]


def _write_singly(batch: Sequence[Pending]) -> None:
    """One event that the database refuses costs no other."""
    for one in batch:
        try:
            write([one])
        except Exception:  # noqa: BLE001 - as above
            metrics.count("events_dropped")
            metrics.log.exception("the database refused a %s", (one.row or {}).get("kind", "count"))


def _work(stop: threading.Event, news: threading.Event) -> None:
    """The thread's body."""
    while not stop.is_set():
        news.wait()
        news.clear()
        stop.wait(LINGER_SECONDS)
        while len(buffer) and not stop.is_set():
            if not write_waiting():
                close_old_connections()
                stop.wait(RETRY_SECONDS)
        with buffer.writing:
            close_old_connections()


def _end() -> None:
    """Write what waits before the process ends, but not for long."""
    if thread.started:
        thread.end()
    if len(buffer):
        flush()


buffer = Buffer()
thread = Background("shopvision-events", _work)
atexit.register(_end)
