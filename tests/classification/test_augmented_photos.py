from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from demo_shop.models import Product
from shopvision.classification import augmented_photos
from shopvision.classification.classifier_training import train
from shopvision.classification.dataset import read_dataset
from shopvision.classifiers.labelled_set import Glances
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.pipeline import drain_outbox
from tests.classification.conftest import SOURCE, TARGET, make_product

pytestmark = pytest.mark.django_db


def look(live: LiveRelease) -> tuple[Glances | None, list[str]]:
    """Glances at all that is labelled, and what was said meanwhile."""
    steps: Generator[str, None, Glances | None] = augmented_photos.glances_of(
        read_dataset(SOURCE, TARGET, live.row.backbone_digest)
    )
    said = []
    while True:
        try:
            said.append(next(steps))
        except StopIteration as end:
            return end.value, said


def test_photos_are_seen_again_once(labelled: list[Product], live_release: LiveRelease) -> None:
    """24 photos of one product each: two other glances at each, described once for all trainings."""
    encoder: Any = live_release.encoder
    train(SOURCE, TARGET, kind="linear", force=True)
    before = encoder.images_seen
    found, said = look(live_release)
    assert found is not None
    assert (sorted(found.rows), said) == (sorted([*range(24)] * 2), [])
    assert encoder.images_seen == before
    make_product("red", 900)
    drain_outbox()
    before = encoder.images_seen
    found, said = look(live_release)
    assert found is not None
    assert len(found.rows) == 50
    assert list(map(str, said)) == ["looking at 1 photos mirrored and from nearer"]
    assert encoder.images_seen == before + 2


def test_a_photo_that_cannot_be_read_is_learned_from_as_it_is(
    labelled: list[Product], live_release: LiveRelease
) -> None:
    Path(labelled[0].image.path).unlink()
    found, _ = look(live_release)
    assert found is not None
    assert sorted(set(found.rows.tolist())) == [*range(1, 24)]


def test_a_damaged_file_is_made_anew(
    labelled: list[Product], live_release: LiveRelease, data_dir: Path
) -> None:
    first, _ = look(live_release)
    (path,) = (data_dir / "data" / "glances").iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    second, said = look(live_release)
    assert first is not None
    assert second is not None
    assert len(said) == 1
    assert (second.descriptors["c5"] == first.descriptors["c5"]).all()


def test_of_very_many_photos_there_is_one_glance(
    labelled: list[Product], live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augmented_photos, "MOST_SEEN_AGAIN", 23)
    assert look(live_release) == (None, [])
