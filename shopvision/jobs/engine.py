"""Engine of background work: Celery, a worker thread, or immediate."""

from __future__ import annotations

import atexit
import fcntl
import os
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from django.core.signals import request_started
from django.db import close_old_connections, connections

from .. import conf, metrics
from ..catalogue import outbox
from ..threads import Background
from . import heartbeat, periodic, registration, runner
from .broker import send_wake

COALESCE_SECONDS = 0.1  # a thousand saves within it are one message
STAND_BACK_SECONDS = 5.0  # how often a thread that leaves the work to others looks whether they live
TASKS = ("shopvision.jobs.cpu", "shopvision.jobs.gpu")


def connect() -> None:
    """Hook the engine up; called once, when Django is ready."""
    outbox.on_commit_wake = wake
    if wake_jobs not in runner.on_start:
        runner.on_start.append(wake_jobs)
    request_started.connect(_on_request, dispatch_uid="shopvision-engine")
    atexit.register(stop_threads)
    if conf.ENGINE == "celery":
        for name in TASKS:
            import_module(name)


def wake() -> None:
    """Say that the catalogue changed. Runs after the shop's commit: never raises, and waits for nobody else.

    ``immediate`` does the work here. ``thread`` pokes this process's worker thread; in a script there is
    none, and the web processes or ``shopvision_worker`` find the change within POLL_SECONDS. ``celery`` lets
    a small thread send the wake-up, so that a broker that hangs cannot hang the shop's save.
    """
    _wake(registration.drain, change_sender)


def wake_jobs() -> None:
    """Say that a job waits; otherwise as ``wake``."""
    _wake(runner.run_waiting, job_sender)


def _wake(work: Callable[[], int], sender: Background) -> None:
    try:
        if conf.ENGINE == "immediate":
            work()
        elif conf.ENGINE == "celery":
            sender.poke()
        elif worker_thread.started:
            worker_thread.poke()
    except Exception:  # noqa: BLE001 - the shop's save has succeeded and must not fail on our account
        metrics.log.exception("could not wake a worker; the change waits in the outbox")


def _on_request(**kwargs: Any) -> None:
    """A process that answers requests works too (engine ``thread``); a script does not."""
    if not worker_thread.started and conf.ENGINE == "thread":
        worker_thread.poke()


def stop_threads() -> None:
    """End this process's threads in good order."""
    for thread in (worker_thread, job_thread, change_sender, job_sender, ticker):
        thread.end()


def start_thread_worker() -> None:
    """Start this process's worker thread now, not with its first change or request."""
    worker_thread.poke()


def run_worker(
    stop: threading.Event, *, once: bool = False, kind: str = "command", news: threading.Event | None = None
) -> int:
    """Do all background work until ``stop`` is set, or for one round; the number of changes worked off.

    Jobs run in a thread beside it, so that a fresh save never waits for a long job. A database or storage
    that fails is waited for; the worker goes on when it is back.

    Args:
        stop: finish the batch in hand and return.
        once: return when nothing is left to do.
        kind: shown beside the worker's heartbeat.
        news: set by whoever has work; without it the worker looks every POLL_SECONDS.
    """
    clock, done = periodic.Clock(), 0
    start_jobs = periodic.run_jobs if once else job_thread.poke
    news = news or stop
    try:
        while not stop.is_set():
            close_old_connections()
            try:
                done += periodic.turn(clock, kind, stop.is_set, start_jobs)
            except Exception:
                metrics.log.exception("a round of work failed; trying again")
                if once:
                    raise
            if once:
                break
            news.wait(conf.POLL_SECONDS)
            if news is not stop:
                news.clear()
    finally:
        job_thread.end()
        heartbeat.good_bye()
    return done


def _work_on_jobs(stop: threading.Event, news: threading.Event) -> None:
    """The body of the job thread."""
    while not stop.is_set():
        news.wait()
        news.clear()
        if not stop.is_set():
            periodic.run_jobs(stop.is_set)
            close_old_connections()


def _work_in_thread(stop: threading.Event, news: threading.Event) -> None:
    """The body of the worker thread: one process of a host works, the others stand back."""
    while not stop.is_set():
        try:
            with HostLock(Path(conf.DATA_DIR) / "worker.lock") as lock:
                _take_turns(lock, stop, news)
        except Exception:  # noqa: BLE001 - the database or the disk may be away; they come back
            metrics.log.exception("the worker thread could not work; trying again in a while")
            connections.close_all()
            stop.wait(STAND_BACK_SECONDS)


def _take_turns(lock: HostLock, stop: threading.Event, news: threading.Event) -> None:
    while not stop.is_set():
        close_old_connections()
        if heartbeat.workers_alive().filter(kind="command").exists() or not lock.taken():
            news.wait(STAND_BACK_SECONDS)
            news.clear()
            continue
        run_worker(stop, kind="thread", news=news)


class HostLock:
    """A lock that one process of this host can hold; the end of the process gives it back.

    A POSIX record lock, which a forked child does not inherit.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> HostLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("ab")
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            self._file.close()

    def taken(self) -> bool:
        """Take it if it is free; True if this process holds it."""
        if self._file is None:
            return False
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


def _sender(*tasks: str) -> Callable[[threading.Event, threading.Event], None]:
    """The body of a thread that turns many pokes into one message to each of some tasks."""

    def send(stop: threading.Event, news: threading.Event) -> None:
        while not stop.is_set():
            news.wait()
            news.clear()
            for task in tasks:
                send_wake(task)
            stop.wait(COALESCE_SECONDS)

    return send


def _tick(stop: threading.Event, news: threading.Event) -> None:
    """The body of a thread in every Celery worker's main process: it sends what nobody else would.

    Lost messages, an empty broker and a shop without beat all end here: it looks for waiting work every
    POLL_SECONDS, and asks for the periodic work when they are due.
    """
    clock = periodic.Clock()
    while not stop.is_set():
        try:
            for task in _due(clock):
                send_wake(task)
        except Exception:  # noqa: BLE001 - the database may be down; it will be back
            metrics.log.exception("could not look for waiting work; trying again")
        stop.wait(conf.POLL_SECONDS)


def _due(clock: periodic.Clock) -> list[str]:
    """The tasks to be sent now, by the database. No process is forked meanwhile.

    A pool process that dies is replaced by a fork of this one. A child that inherits an open SQLite
    connection gets "disk I/O error" from the file for the rest of its life; so a fork waits for the close.
    """
    with _no_fork:
        try:
            if clock.due("heartbeat", periodic.HEARTBEAT_SECONDS):
                heartbeat.here_i_am("celery")
            return [
                *periodic.work_is_waiting(),
                *(["cpu.tick"] if periodic.due(clock) else []),
            ]
        finally:
            connections.close_all()


_no_fork = threading.Lock()
os.register_at_fork(
    before=_no_fork.acquire, after_in_parent=_no_fork.release, after_in_child=_no_fork.release
)
worker_thread = Background("shopvision-worker", _work_in_thread)
job_thread = Background("shopvision-job", _work_on_jobs)
change_sender = Background("shopvision-wake", _sender("gpu.drain_outbox"))
job_sender = Background("shopvision-jobs", _sender("cpu.run_jobs", "gpu.run_jobs"))
ticker = Background("shopvision-tick", _tick)
