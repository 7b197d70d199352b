"""Time budget of ranking within a page request, with a circuit breaker."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connections, router, transaction

from .. import metrics
from ..catalogue.models import CatalogueEntry


def apart() -> AbstractContextManager[Any]:
    """A savepoint where the shop's view runs in a transaction; outside one, where each query stands alone, nothing."""
    using = router.db_for_read(CatalogueEntry)
    return transaction.atomic(using=using) if connections[using].in_atomic_block else nullcontext()


Answer = TypeVar("Answer")
OVERRUNS = 5  # in a row, before we pause
PAUSE_SECONDS = 30.0
MOST_WORKING = 2  # threads of rankers that are not ours; more would be late in any case


class OverBudget(Exception):
    """There is no time left; the shop's own order is served."""


@dataclass(slots=True)
class _Pause:
    overruns: int = 0
    until: float = 0.0


_pause = _Pause(-OVERRUNS)  # a process is slow at first: the visitors after a restart get as many tries again
_lock = threading.Lock()


class _Working:
    """How many rankers that are not ours are at work in this process."""

    def __init__(self) -> None:
        self.forget()
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """A fork's child has none of its parent's threads."""
        self._lock = threading.Lock()
        self._count = 0

    def begin(self) -> bool:
        """May one more begin."""
        with self._lock:
            if self._count >= MOST_WORKING:
                return False
            self._count += 1
            return True

    def end(self) -> None:
        """One has finished."""
        with self._lock:
            self._count = max(0, self._count - 1)


_working = _Working()


class Budget:
    """A clock that began when it was made.

    Args:
        milliseconds: that may pass.
        since: ``perf_counter()`` at which it began already.

    Raises:
        OverBudget: it was overrun too often just now.
    """

    def __init__(self, milliseconds: float, *, since: float | None = None) -> None:
        now = time.perf_counter()
        self._start = now if since is None else since
        self._seconds = milliseconds / 1000
        if now < _pause.until:
            metrics.count("rank_paused")
            raise OverBudget("pausing: the last listings took too long")

    @property
    def left(self) -> float:
        """Seconds left, below zero when it is overrun."""
        return self._seconds - (time.perf_counter() - self._start)

    def check(self, stage: str) -> None:
        """Go on only if there is time left.

        Raises:
            OverBudget: there is none.
        """
        if self.left < 0:
            self._overrun()
            raise OverBudget(f"{stage} took until {-self.left * 1000:.1f} ms after the budget's end")

    def within(self, work: Callable[[], Answer]) -> Answer:
        """The answer of somebody else's code, waited for no longer than there is time.

        It runs in a thread of its own, which is left behind when it is late, and does not hold up the end of
        the process.

        Raises:
            OverBudget: it was late, or earlier calls still are.
        """
        if not _working.begin():
            self._overrun()
            raise OverBudget("earlier rankings are still being worked on")
        task: Future[Answer] = Future()
        threading.Thread(target=_done, args=(task, work), name="shopvision-ranker", daemon=True).start()
        try:
            return task.result(timeout=max(self.left, 0.0))
        except Late:
            self._overrun()
            raise OverBudget("the ranker did not answer in time") from None

    def done(self) -> None:
        """It was kept: note the time."""
        metrics.observe("rank", (self._seconds - self.left) * 1000)
        _pause.overruns = 0

    def _overrun(self) -> None:
        metrics.count("rank_over_budget")
        with _lock:
            _pause.overruns += 1
            if _pause.overruns >= OVERRUNS:
                _pause.overruns, _pause.until = 0, time.perf_counter() + PAUSE_SECONDS


def own_order(error: Exception) -> None:
    """Say that products keep the order they came in, and why: a counter moves, and what is a bug is logged.

    A queryset that Django knows to be empty is no failure.
    """
    if isinstance(error, EmptyResultSet):
        return
    metrics.count("rank_own_order")
    if isinstance(error, OverBudget):
        metrics.log.info("the shop's own order is served: %s", error)
    else:
        metrics.log.error("the shop's own order is served: %s", error, exc_info=error)


def resume() -> None:
    """Forget overruns and pauses."""
    _pause.overruns, _pause.until = 0, 0.0


def _done(task: Future[Answer], work: Callable[[], Answer]) -> None:
    try:
        task.set_result(work())
    except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
        task.set_exception(error)
    finally:
        _working.end()
