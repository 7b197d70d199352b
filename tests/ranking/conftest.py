"""A shop with a few things photographed more than once, and nothing kept of another test's visitors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from shopvision import metrics
from shopvision.events import writer
from shopvision.indexing.pipeline import drain_outbox
from shopvision.ranking import deadline, popularity, serving
from tests.drawing import photo_file
from tests.factories import DemoProductFactory


@pytest.fixture(autouse=True)
def nobody_was_here(settings: Any) -> Iterator[None]:
    """No order, no sum and no pause of another test; time enough on a busy machine; no chance in the order."""
    settings.SHOPVISION = {**settings.SHOPVISION, "RANKING": {"budget_ms": 5000, "explore": 0}}
    for forget in (
        cache.clear,
        popularity.forget,
        serving.forget,
        deadline.resume,
        metrics.reset,
        writer.buffer.clear,
    ):
        forget()
    yield
    for forget in (cache.clear, popularity.forget, serving.forget, deadline.resume, writer.buffer.clear):
        forget()


@pytest.fixture
def mugs(live_release: Any) -> list[Any]:
    """Twenty-two other things, and then four products whose photos show one thing: a mug, say."""
    DemoProductFactory.create_batch(22)
    made = [
        DemoProductFactory(title=f"red mug {view}", image=photo_file(990, view=view)) for view in range(4)
    ]
    drain_outbox()
    return made
