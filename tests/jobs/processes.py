"""A shop in processes of its own, to be started, asked and killed from outside."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240.0  # seconds until a test gives up; far above what it takes


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {PATIENCE:.0f} s for {what}")
        time.sleep(0.05)


class Shop:
    """A shop whose processes are started, asked and killed from outside."""

    def __init__(self, home: Path, *, broker: str = "", engine: str = "celery") -> None:
        self.home = home
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.jobs.settings",
            "SHOPVISION_TEST_HOME": str(home),
            "SHOPVISION_TEST_BROKER": broker,
            "SHOPVISION_TEST_ENGINE": engine,
            "SHOPVISION_TEST_DB": "",
            "OMP_NUM_THREADS": "1",
        }
        self.broker = broker
        self.workers: list[subprocess.Popen[bytes]] = []
        self.ask("init")

    def ask(self, action: str, *numbers: int) -> dict[str, Any]:
        command = [sys.executable, "-m", "tests.jobs.shop_process", action, *map(str, numbers)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def start_celery(self) -> subprocess.Popen[bytes]:
        command = ["celery", "-A", "tests.jobs.celery_app", "worker", "--concurrency", "2"]
        command += ["-Q", "shopvision-cpu,shopvision-gpu", "--prefetch-multiplier", "1", "--loglevel", "INFO"]
        return self.start(*command)

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """``python -m ARGUMENTS`` in a session of its own, its output in a file."""
        command = [sys.executable, "-m", *arguments]
        log = (self.home / f"worker-{len(self.workers)}.log").open("wb")
        worker = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
        )
        self.workers.append(worker)
        return worker

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """The whole worker at once, as an out-of-memory killer or a power cut does."""
        family = [*psutil.Process(worker.pid).children(recursive=True), psutil.Process(worker.pid)]
        for process in family:
            process.send_signal(signal.SIGKILL)
        worker.wait()

    def close(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                self.kill(worker)

    def count(self, query: str) -> int:
        """One number straight from the file, without starting a process."""
        with sqlite3.connect(self.home / "shop.sqlite3", timeout=20) as connection:
            return int(connection.execute(query).fetchone()[0])

    def indexed(self) -> int:
        return self.count("SELECT count(*) FROM shopvision_catalogueentry WHERE state = 'indexed'")

    def waiting(self) -> int:
        return self.count("SELECT count(*) FROM shopvision_outbox WHERE state = 'waiting'")


def everything_once(shop: Shop, products: int) -> None:
    """Each product is searchable exactly once, and nothing is left over."""
    found = shop.ask("compare")
    assert found["products"] == found["entries"] == found["photos"] == products
    assert found["descriptors"] == found["embeddings"] == found["database"] == found["index"] == products
    assert (found["twice"], found["waiting"], found["rejected"], found["poisoned"]) == (0, 0, 0, 0)
    assert found["total"] == 0
