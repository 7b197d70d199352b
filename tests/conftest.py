"""A shop with nothing in it yet, and one with a few products indexed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shopvision.search import releases


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
def live_release(db: None, data_dir: Path) -> Any:
    """The first release of a fresh shop: fake encoder, generic projection, empty index."""
    releases._c.clear()
    releases.bootstrap()
    return releases.live()
