"""A shop with nothing in it yet, and one with a few products indexed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shopvision.events import writer
from shopvision.indexing import encoder_releases
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.pipeline import drain_outbox
from tests.factories import ArticleFactory, CategoryFactory, DemoProductFactory, PictureFactory, TopicFactory


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test first: beside it the other worker goes through many short ones."""
    items.sort(key=lambda item: "postgres" not in item.keywords)


@pytest.fixture(autouse=True)
def _torch_is_allowed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that allows this process torch does not allow it the next one."""
    monkeypatch.setattr(encoder_releases._seen, "torch", encoder_releases._seen.torch)


@pytest.fixture(autouse=True)
def _drawn_photos_are_the_same_in_any_order() -> None:
    """Things are numbered from 0 in each test: which are drawn does not hang on the tests before it."""
    for one in (CategoryFactory, DemoProductFactory, TopicFactory, PictureFactory, ArticleFactory):
        one.reset_sequence(0)


@pytest.fixture
def data_dir(settings: Any, tmp_path: Path) -> Path:
    """Folders of the test's own for the index and for media, and the fake encoder."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SHOPVISION = {
        **settings.SHOPVISION,
        "DATA_DIR": tmp_path / "data",
        "ENCODER": "tests.fakes.FakeEncoder",
    }
    return tmp_path


@pytest.fixture
def live_release(db: None, data_dir: Path) -> Iterator[LiveRelease]:
    """The first release of a fresh shop: fake encoder, generic projection, empty index."""
    encoder_releases.reset()
    encoder_releases.bootstrap()
    yield encoder_releases.live()
    encoder_releases.reset()


@pytest.fixture
def indexed_shop(live_release: LiveRelease) -> list[Any]:
    """Twelve products of the demo shop, indexed: each another thing, with one photo."""
    products = DemoProductFactory.create_batch(12)
    drain_outbox()
    return products


@pytest.fixture
def mode(settings: Any) -> Iterator[Callable[[str], None]]:
    """Sets PRIVACY_MODE; no event of another test waits to be written."""

    def choose(name: str) -> None:
        settings.SHOPVISION = {**settings.SHOPVISION, "PRIVACY_MODE": name}

    writer.buffer.clear()
    yield choose
    writer.buffer.clear()


@pytest.fixture
def consent_mode(mode: Callable[[str], None]) -> None:
    """PRIVACY_MODE is consent."""
    mode("consent")
