from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, transaction

from shopvision.catalogue import outbox
from shopvision.catalogue.models import CatalogueEntry
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.jobs import engine, heartbeat, periodic, registration
from shopvision.jobs.engine import HostLock
from shopvision.threads import Background
from tests.factories import DemoProductFactory


@pytest.fixture
def thread_engine(settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "ENGINE": "thread"}


@pytest.mark.django_db(transaction=True)
def test_immediate_engine_indexes_after_the_commit_and_not_before(live_release: LiveRelease) -> None:
    with transaction.atomic():
        product = DemoProductFactory()
        assert not CatalogueEntry.objects.exists()
    assert CatalogueEntry.objects.get().object_id == str(product.pk)
    assert live_release.index.count() == 1


@pytest.mark.django_db(transaction=True)
def test_immediate_engine_does_nothing_after_a_rollback(live_release: LiveRelease) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        DemoProductFactory()
        raise RuntimeError("no")
    assert outbox.pending() == 0
    assert live_release.index.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_save_succeeds_when_the_work_behind_it_fails(
    live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> int:
        raise MemoryError("of the worker")

    monkeypatch.setattr(registration, "drain", fail)
    DemoProductFactory()
    assert outbox.pending() == 1


@pytest.mark.django_db(transaction=True)
def test_a_script_that_saves_products_starts_no_thread(thread_engine: None) -> None:
    DemoProductFactory()
    assert outbox.pending() == 1
    assert not engine.worker_thread.started


def test_a_background_thread_does_one_round_for_many_pokes() -> None:
    rounds: list[int] = []
    done = threading.Event()

    def body(stop: threading.Event, news: threading.Event) -> None:
        while not stop.is_set():
            news.wait()
            news.clear()
            rounds.append(1)
            done.set()
            stop.wait(0.2)

    thread = Background("test", body)
    for _ in range(50):
        thread.poke()
    assert done.wait(5)
    thread.end()
    assert 1 <= len(rounds) <= 3


def test_a_background_thread_that_died_is_started_again_by_the_next_poke() -> None:
    runs: list[int] = []
    done = threading.Event()

    def body(stop: threading.Event, news: threading.Event) -> None:
        runs.append(1)
        done.set()
        raise OSError("gone")

    thread = Background("test", body)
    thread.poke()
    assert done.wait(5)
    thread._thread.join(5)  # type: ignore[union-attr]
    done.clear()
    thread.poke()
    assert done.wait(5)
    assert len(runs) == 2
    thread.end()


def test_one_process_of_a_host_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "worker.lock"
    other = (
        "import sys; from pathlib import Path; from shopvision.jobs.engine import HostLock\n"
        "with HostLock(Path(sys.argv[1])) as lock: print(lock.taken())"
    )
    setup = "import django, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'; django.setup()\n"

    def ask() -> str:
        command = [sys.executable, "-c", setup + other, str(path)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    with HostLock(path) as lock:
        assert lock.taken()
        assert lock.taken()  # it is ours already
        assert ask() == "False"
    assert ask() == "True"


def test_the_worker_thread_outlives_a_database_that_is_away(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "DATA_DIR": tmp_path}
    stop, asked = threading.Event(), []

    def away(lock: Any, stop: threading.Event, news: threading.Event) -> None:
        asked.append(1)
        if len(asked) == 3:
            stop.set()
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(engine, "_take_turns", away)
    monkeypatch.setattr(engine, "STAND_BACK_SECONDS", 0.01)
    engine._work_in_thread(stop, threading.Event())
    assert len(asked) == 3


def test_no_process_is_forked_while_a_celery_workers_main_process_reads_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A child forked then inherits an open connection, and SQLite answers it "disk I/O error" for ever."""
    reading, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def read() -> list[str]:
        reading.set()
        go_on.wait(10)
        done.set()
        return ["gpu.drain_outbox"]

    monkeypatch.setattr(periodic, "work_is_waiting", read)
    monkeypatch.setattr(heartbeat, "here_i_am", lambda kind: None)
    tick = threading.Thread(target=engine._due, args=(periodic.Clock(),))
    tick.start()
    assert reading.wait(10)
    threading.Timer(0.2, go_on.set).start()
    child = os.fork()
    if child == 0:
        os._exit(0 if done.is_set() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    tick.join()
