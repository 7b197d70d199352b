from __future__ import annotations

from collections.abc import Iterator

import pytest

from shopvision.events import writer


@pytest.fixture(autouse=True)
def _empty_buffer() -> Iterator[None]:
    writer.buffer.clear()
    yield
    writer.buffer.clear()
