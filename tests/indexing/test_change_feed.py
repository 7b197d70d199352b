from __future__ import annotations

import threading
from typing import Any

import pytest

from shopvision.index.models import Embedding, EncoderRelease
from shopvision.indexing import change_feed as module
from shopvision.indexing import encoder_releases
from shopvision.indexing.change_feed import follow, verify
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.pipeline import drain_outbox
from tests.factories import DemoProductFactory
from tests.fakes import MemoryIndex

pytestmark = pytest.mark.django_db


def another_host(live: LiveRelease) -> LiveRelease:
    """The same release with an index of its own, as a second host has."""
    index = MemoryIndex(digest=live.row.digest, dim=live.row.dim)
    return type(live)(row=live.row, encoder=live.encoder, projection=live.projection, index=index)


def test_following_when_nothing_changed_takes_one_query(
    live_release: LiveRelease, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    DemoProductFactory()
    drain_outbox()
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert follow(live_release) == 0


def test_a_second_host_comes_to_the_same_rows_in_pages(
    live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    other = another_host(live_release)
    products = DemoProductFactory.create_batch(5)
    drain_outbox()
    assert follow(other) == 5
    products[0].delete()
    drain_outbox()
    assert follow(other) == 1
    assert other.index.count() == live_release.index.count() == 4
    assert other.index.sequence() == live_release.index.sequence() == 6


def test_an_index_ahead_of_the_database_is_rebuilt(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(3)
    drain_outbox()
    Embedding.objects.filter(sequence=3).delete()  # a backup of yesterday was restored
    EncoderRelease.objects.update(sequence=2)
    follow(live_release)
    assert live_release.index.count() == 2
    assert live_release.index.sequence() == 2


def test_an_index_far_behind_is_rebuilt_in_one_go(
    live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = another_host(live_release)
    DemoProductFactory.create_batch(4)
    drain_outbox()
    monkeypatch.setattr(module, "REBUILD_ABOVE", 3)
    assert follow(other) == 4
    assert other.index.rebuilt == 1  # type: ignore[attr-defined]
    assert verify(other).total == 0


def test_drift_names_what_is_missing_and_what_is_too_much(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(3)
    drain_outbox()
    other = another_host(live_release)
    follow(other)
    keys = list(Embedding.objects.values_list("image_id", flat=True))
    other.index.rows.pop(keys[0])  # type: ignore[attr-defined]
    drift = verify(other)
    assert (drift.database, drift.index, drift.missing, drift.extra, drift.total) == (3, 2, 1, 0, 1)
    other.index.rows[keys[0]] = other.index.rows[keys[1]]  # type: ignore[attr-defined]
    other.index.rows[10_000] = other.index.rows[keys[1]]  # type: ignore[attr-defined]
    drift = verify(other)
    assert (drift.missing, drift.extra, drift.total) == (0, 1, 1)


def test_a_usable_photo_without_embedding_is_drift(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(2)
    drain_outbox()
    Embedding.objects.filter(sequence=1).delete()
    assert verify(live_release).unembedded == 1


def test_a_process_that_ends_while_an_encoder_loads_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "ENGINE": "thread"}
    encoder_releases.reset()
    go_on = threading.Event()
    monkeypatch.setattr(encoder_releases._seen, "opening", False)
    monkeypatch.setattr(encoder_releases, "_open_once", lambda: go_on.wait(9))
    try:
        assert encoder_releases.at_hand() is None
        opener = next(one for one in threading.enumerate() if one.name == "shopvision-open")
        assert not opener.daemon  # the interpreter joins it; a daemon's onnxruntime would abort the process
    finally:
        go_on.set()
    opener.join(9)
