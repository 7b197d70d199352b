from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError

from shopvision import metrics, signals, timestamps
from shopvision.events import tracking, writer
from shopvision.events.models import Event, ProductCount
from shopvision.events.writer import Pending
from shopvision.privacy.erasure import digest
from shopvision.privacy.models import ErasedSubject
from tests.visitors import again, visitor

ROOT = Path(__file__).resolve().parents[2]
NOON = timestamps.as_kept(datetime(2026, 11, 25, 12, tzinfo=UTC))


def pending(key: str, subject: str = "1.a", kind: str = "view", at: datetime = NOON, **more: Any) -> Pending:
    row = {
        "key": key,
        "kind": kind,
        "subject": subject,
        "product": "shop.product:1",
        "purposes": 3,
        "at": at,
        "received_at": at,
        **more,
    }
    return Pending(key, at, row, ("2026-11-25", "shop.product:1", kind), since=at)


@pytest.fixture(autouse=True)
def _empty_buffer() -> Iterator[None]:
    writer.buffer.clear()
    yield
    writer.buffer.clear()


@pytest.fixture
def thread_engine(settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The engine of a real shop, whose thread is only poked here: no test waits for it."""
    settings.SHOPVISION = {**settings.SHOPVISION, "ENGINE": "thread"}
    pokes: list[str] = []
    monkeypatch.setattr(writer.thread, "poke", lambda: pokes.append("poke"))
    return pokes


def refusing(error: Exception) -> Any:
    def write(batch: Any) -> int:
        raise error

    return write


@pytest.mark.django_db
def test_a_batch_is_written_once_with_its_sums_and_announced() -> None:
    told: list[str] = []

    def listen(event: Event, **_: Any) -> None:
        told.append(event.key)

    signals.event_recorded.connect(listen)
    try:
        for _ in range(2):
            writer.write([pending("first-key"), pending("second-key")])
    finally:
        signals.event_recorded.disconnect(listen)
    assert told == ["first-key", "second-key"]
    assert Event.objects.count() == 2
    assert [row.count for row in ProductCount.objects.all()] == [2]


def test_a_page_waits_for_no_database(thread_engine: list[str]) -> None:
    """No database is allowed in this test: putting events touches none."""
    assert writer.put([pending(f"key-{n:05}") for n in range(100)]) == 100
    assert thread_engine == ["poke"]


def test_more_than_the_buffer_holds_is_dropped_and_counted(thread_engine: list[str]) -> None:
    metrics.reset()
    many = [pending(f"key-{n:05}") for n in range(writer.MOST_BUFFERED + 7)]
    assert writer.put(many) == writer.MOST_BUFFERED
    assert metrics.snapshot()["counters"]["events_dropped"] == 7


def test_a_repeat_of_a_recent_key_goes_no_further(thread_engine: list[str]) -> None:
    assert writer.put([pending("same-key-1")]) == 1
    assert writer.put([pending("same-key-1")]) == 0


def test_a_database_that_is_down_keeps_the_events_waiting_in_order(
    thread_engine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.put([pending("first-key"), pending("second-key")])
    monkeypatch.setattr(writer, "write", refusing(OperationalError("down")))
    assert not writer.write_waiting()
    writer.put([pending("third-key")])
    written: list[str] = []
    monkeypatch.setattr(writer, "write", lambda batch: written.extend(one.key for one in batch))
    assert writer.write_waiting()
    assert written == ["first-key", "second-key", "third-key"]


@pytest.mark.django_db
def test_an_event_the_database_refuses_costs_no_other(
    thread_engine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = writer.write

    def picky(batch: Any) -> int:
        if any(one.key == "broken-key" for one in batch):
            raise DatabaseError("no such value")
        return real(batch)

    monkeypatch.setattr(writer, "write", picky)
    writer.put([pending("first-key"), pending("broken-key"), pending("third-key")])
    assert writer.write_waiting()
    assert set(Event.objects.values_list("key", flat=True)) == {"first-key", "third-key"}


@pytest.mark.django_db
def test_what_was_on_its_way_under_an_erased_consent_is_not_written() -> None:
    ErasedSubject.objects.create(digest=digest("1.gone"), at=NOON)
    late = NOON + timedelta(seconds=1)
    writer.write(
        [pending("before-it", "1.gone"), pending("after-it", "1.gone", at=late), pending("others-key")]
    )
    assert set(Event.objects.values_list("key", flat=True)) == {"after-it", "others-key"}


@pytest.mark.django_db(transaction=True)
def test_the_thread_writes_by_itself_and_survives_a_failure(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "ENGINE": "thread", "PRIVACY_MODE": "consent"}
    monkeypatch.setattr(writer, "RETRY_SECONDS", 0.05)
    real, failures = writer.write, [OperationalError("not yet")]

    def late(batch: Any) -> int:
        if failures:
            raise failures.pop()
        return real(batch)

    monkeypatch.setattr(writer, "write", late)
    request = visitor("improvement")
    tracking.record(again(request), "view", "demo_shop.product:1")
    deadline = time.monotonic() + 60
    while (failures or len(writer.buffer)) and time.monotonic() < deadline:
        time.sleep(0.05)
    writer.thread.end()
    assert not failures
    assert Event.objects.count() == 1


def test_a_slow_database_does_not_slow_the_page(
    thread_engine: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, let_go = threading.Event(), threading.Event()

    def slow(batch: Any) -> int:
        inside.set()
        let_go.wait(60)
        return 0

    monkeypatch.setattr(writer, "write", slow)
    writer.put([pending("first-key")])
    worker = threading.Thread(target=writer.write_waiting)
    worker.start()
    assert inside.wait(60)
    assert writer.put([pending("second-key")]) == 1  # while the other is being written
    assert len(writer.buffer) == 1
    let_go.set()
    worker.join(60)


SCRIPT = """
import atexit, os, django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.db import connection
from shopvision.events import writer
from tests.events.test_writer import pending
writer.put([pending("of-the-parent")])
child = os.fork()
if child == 0:
    connection.close()
    assert len(writer.buffer) == 0, "the child holds what its parent will write"
    writer.put([pending("of-the-child")])
    atexit._run_exitfuncs()  # then no libc handlers: those of onnxruntime hang in a forked child
    os._exit(0)
os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_a_fork_writes_its_own_events_and_the_end_of_a_process_writes_what_waits(tmp_path: Path) -> None:
    """Parent and child end at once: what they held is in the database all the same, each row once."""
    settings = tmp_path / "fork_settings.py"
    settings.write_text(
        "from tests.settings import *\n"
        f"DATABASES['default']['NAME'] = {str(tmp_path / 'db.sqlite3')!r}\n"
        "SHOPVISION = {**SHOPVISION, 'ENGINE': 'thread'}\n"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "fork_settings", "PYTHONPATH": path}
    environment.pop("SHOPVISION_TEST_POSTGRES", None)  # a file of its own, whatever the suite runs on
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, check=True, timeout=300)
    show = (
        "import django; django.setup(); from shopvision.events.models import Event;"
        "print(sorted(Event.objects.values_list('key', flat=True)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", show], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "['of-the-child', 'of-the-parent']"
