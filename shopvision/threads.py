"""Background threads of a web process: on-demand workers and periodically refreshed values."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import connections

from . import conf, metrics

Value = TypeVar("Value")

STOP_SECONDS = 5.0  # how long the end of the process waits for a batch in hand


class Background:
    """One daemon thread per process, started when first poked; a forked child starts its own.

    Args:
        name: of the thread.
        body: called with (stop, news); returns when ``stop`` is set.
    """

    def __init__(self, name: str, body: Callable[[threading.Event, threading.Event], None]) -> None:
        self.name = name
        self.body = body
        self._fresh()
        os.register_at_fork(after_in_child=self._fresh)

    def _fresh(self) -> None:
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.stop = threading.Event()
        self.news = threading.Event()

    @property
    def started(self) -> bool:
        """This process has the thread."""
        return self._thread is not None

    def poke(self) -> None:
        """Say that there is work; starts the thread if this process has none yet. Never blocks."""
        self.news.set()
        if self._thread is not None and self._thread.is_alive():
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        try:
            self.body(self.stop, self.news)
        except Exception:  # noqa: BLE001 - the next poke starts it again
            metrics.log.exception("%s ended; it starts again with the next change", self.name)
        finally:
            connections.close_all()

    def end(self) -> None:
        """Let it finish the batch in hand, but not for long."""
        self.stop.set()
        self.news.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(timeout=STOP_SECONDS)
        self._thread, self.stop = None, threading.Event()


class Glance(Generic[Value]):
    """A value that a thread reads anew now and then, so that no page waits for the database.

    With the engine ``immediate`` (tests) it is read at once. A forked child knows what its parent knew and
    reads anew: a reading that was under way in the parent is not under way in the child.

    Args:
        name: of the thread. nothing: the value until the first reading is done.
        read: looks it up; when it raises, what was known goes on serving, and the next reading is on time.
        seconds: until the next reading, by what was read.
        failed: counter and words of the log when it raises.
    """

    def __init__(
        self,
        name: str,
        nothing: Value,
        read: Callable[[], Value],
        seconds: Callable[[Value], float],
        failed: tuple[str, str],
    ) -> None:
        self.name = name
        self._nothing, self._read_value, self._seconds, self._failed = nothing, read, seconds, failed
        self.forget()
        os.register_at_fork(after_in_child=self._fresh)

    def forget(self) -> None:
        """Know nothing; read anew at the next look."""
        self.value = self._nothing
        self._fresh()

    def _fresh(self) -> None:
        self._lock = threading.Lock()
        self._reading = False
        self._next = float("-inf")

    def look(self) -> Value:
        """What was so a while ago."""
        if time.monotonic() < self._next:
            return self.value
        with self._lock:
            if self._reading:
                return self.value
            self._reading = True
        if conf.ENGINE == "immediate":
            self._read()
        else:
            threading.Thread(target=self._read_apart, name=self.name, daemon=True).start()
        return self.value

    def _read_apart(self) -> None:
        try:
            self._read()
        finally:
            connections.close_all()

    def _read(self) -> None:
        counter, words = self._failed
        wait = self._seconds(self._nothing)
        try:
            self.value = self._read_value()
            wait = self._seconds(self.value)
        except Exception:  # noqa: BLE001 - the database may be down
            metrics.count(counter)
            metrics.log.exception(words)
        finally:
            self._next, self._reading = time.monotonic() + wait, False
