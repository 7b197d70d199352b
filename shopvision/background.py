"""One thread beside the web process, started when there is work; a forked child starts its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from django.db import connections

from . import telemetry

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
            telemetry.log.exception("%s ended; it starts again with the next change", self.name)
        finally:
            connections.close_all()

    def end(self) -> None:
        """Let it finish the batch in hand, but not for long."""
        self.stop.set()
        self.news.set()
        if self._thread is not None and self._thread.is_alive():
            self._thread.join(timeout=STOP_SECONDS)
        self._thread, self.stop = None, threading.Event()
