from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from demo_shop.models import Product
from shopvision import signals
from shopvision.classification import classifier_releases
from shopvision.classification.classifier_training import train
from shopvision.classification.models import ClassifierRelease
from shopvision.exceptions import InvalidRequest, Misconfigured, TemporaryFailure
from tests.classification.conftest import SOURCE, TARGET, fill

pytestmark = pytest.mark.django_db


@pytest.fixture
def flaky(settings: Any) -> Any:
    """Models are kept in a storage without paths, as S3 is."""
    settings.STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        "models": {"BACKEND": "tests.fakes.FlakyStorage"},
    }
    settings.SHOPVISION = {**settings.SHOPVISION, "MODEL_STORAGE": "models"}
    return storages["models"]


def forget(data_dir: Path) -> None:
    """As another host, which has nothing open and nothing cached."""
    classifier_releases.reset()
    for path in (data_dir / "data" / "classifiers").iterdir():
        path.unlink()


def test_the_artefact_lives_in_a_storage_without_paths(
    data_dir: Path, flaky: Any, labelled: list[Product]
) -> None:
    row = train(SOURCE, TARGET)
    assert flaky.exists(row.artefact)
    assert row.artefact == f"shopvision/classifiers/{row.digest}.safetensors"
    forget(data_dir)
    opened = classifier_releases.open_release(row)
    assert opened.classifier.labels == tuple(one["id"] for one in row.labels)
    assert classifier_releases.open_release(row).classifier is opened.classifier


def test_corrupted_bytes_are_refused_and_the_message_says_what_to_do(
    data_dir: Path, flaky: Any, labelled: list[Product]
) -> None:
    row = train(SOURCE, TARGET)
    flaky.delete(row.artefact)
    flaky.save(row.artefact, ContentFile(b"something else"))
    forget(data_dir)
    with pytest.raises(Misconfigured, match="damaged: restore it, roll back, or train anew"):
        classifier_releases.open_release(row)
    flaky.delete(row.artefact)
    with pytest.raises(Misconfigured, match="is gone"):
        classifier_releases.open_release(row)


def test_a_damaged_cache_is_mended_from_the_storage(data_dir: Path, trained: ClassifierRelease) -> None:
    path = data_dir / "data" / "classifiers" / trained.digest
    path.write_bytes(b"half a file")
    classifier_releases.reset()
    assert classifier_releases.open_release(trained).classifier.labels
    assert path.stat().st_size > 100


def test_training_again_on_the_same_labels_changes_nothing(trained: ClassifierRelease) -> None:
    again = train(SOURCE, TARGET)
    assert (again.pk, again.state) == (trained.pk, "live")
    assert ClassifierRelease.objects.count() == 1


def test_promote_and_roll_back_keep_one_live_and_tell(trained: ClassifierRelease) -> None:
    heard: list[tuple[Any, Any]] = []

    def listen(sender: Any, release: Any, previous: Any, **kwargs: Any) -> None:
        heard.append((release, previous))

    signals.release_activated.connect(listen, sender=ClassifierRelease)
    try:
        with pytest.raises(InvalidRequest, match="no classifier") as caught:
            classifier_releases.rollback(SOURCE, TARGET)
        assert caught.value.code == "no_previous"
        fill(4, first=7000)
        newer = train(SOURCE, TARGET)
        assert newer.state == "live", newer.reason
        trained.refresh_from_db()
        assert trained.state == "retired"
        back = classifier_releases.rollback(SOURCE, TARGET)
        assert back.pk == trained.pk
        assert ClassifierRelease.objects.filter(state="live").count() == 1
    finally:
        signals.release_activated.disconnect(listen, sender=ClassifierRelease)
    assert heard == [(newer, trained), (trained, newer)]


def test_a_classifier_of_another_encoder_is_refused_in_words(trained: ClassifierRelease) -> None:
    ClassifierRelease.objects.filter(pk=trained.pk).update(backbone_digest="f" * 64)
    trained.refresh_from_db()
    with pytest.raises(TemporaryFailure, match="no longer live; a worker trains it anew"):
        classifier_releases.open_live(SOURCE, TARGET)


def test_without_a_classifier_the_error_says_how_to_get_one(live_release: Any) -> None:
    assert classifier_releases.live(SOURCE, TARGET) is None
    with pytest.raises(InvalidRequest, match="shopvision_train") as caught:
        classifier_releases.open_live(SOURCE, TARGET)
    assert caught.value.code == "no_classifier"
