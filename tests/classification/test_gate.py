from __future__ import annotations

import numpy as np
import pytest

from demo_shop.models import Product
from shopvision.classification.classifier_evaluation import pack_answers, unpack_answers
from shopvision.classification.classifier_training import train
from shopvision.classification.dataset import Dataset, read_dataset
from shopvision.classification.gate import gate
from shopvision.classification.models import ClassifierRelease
from shopvision.indexing import encoder_releases
from tests.classification.conftest import SOURCE, TARGET, fill, shelf

pytestmark = pytest.mark.django_db


def read() -> Dataset:
    return read_dataset(SOURCE, TARGET, encoder_releases.live().row.backbone_digest)


def answers(dataset: Dataset, wrong: int, items: range | None = None) -> bytes:
    """The right label for every product, but for the first ``wrong`` of them."""
    chosen = [dataset.items[n] for n in items or range(len(dataset.items))]
    said = np.zeros((len(chosen), len(dataset.labels)))
    for row, one in enumerate(chosen):
        said[row, (one.label + (row < wrong)) % len(dataset.labels)] = 0.9
    return pack_answers([one.key for one in chosen], [one.id for one in dataset.labels], said)


def candidate_of(live: ClassifierRelease, held_out: bytes) -> ClassifierRelease:
    values = {"source": SOURCE, "target": TARGET, "kind": "linear", "snapshot": live.snapshot}
    return ClassifierRelease.objects.create(
        **values, artefact=live.artefact, digest="other", state="candidate", held_out=held_out
    )


def test_answers_survive_being_kept() -> None:
    kept = pack_answers(["a", "b"], ["x", "y"], np.array([[0.2, 0.8], [0.7, 0.3]]))
    found = {key: (one.label, one.probability) for key, one in unpack_answers(kept).items()}
    assert found == {"a": ("y", 0.8), "b": ("x", 0.7)}
    assert unpack_answers(b"") == {}


def test_a_worse_candidate_is_refused_with_the_figures(trained: ClassifierRelease) -> None:
    """24 products: live right on all, the candidate wrong on 6 of them: 75 % against 100 %, -25 points."""
    dataset = read()
    ClassifierRelease.objects.filter(pk=trained.pk).update(held_out=answers(dataset, 0))
    verdict = gate(candidate_of(trained, answers(dataset, 6)), dataset)
    assert not verdict.promote
    assert str(verdict.reason).startswith(
        f"worse: 75.0% right against 100.0% of {trained} on the same 24 products"
    )
    assert verdict.compared["gain"] == -0.25
    low, high = verdict.compared["interval"]
    assert low < -0.25 < high < 0


def test_a_tie_is_promoted_for_its_newer_labels_and_a_better_one_is_called_better(
    trained: ClassifierRelease,
) -> None:
    dataset = read()
    ClassifierRelease.objects.filter(pk=trained.pk).update(held_out=answers(dataset, 6))
    tie = gate(candidate_of(trained, answers(dataset, 6)), dataset)
    assert (tie.promote, str(tie.reason).partition(":")[0]) == (True, "no worse")
    better = gate(candidate_of(trained, answers(dataset, 0)), dataset)
    assert (better.promote, str(better.reason).partition(":")[0]) == (True, "better")


def test_the_first_must_beat_the_commonest_label(labelled: list[Product]) -> None:
    dataset = read()
    row = train(SOURCE, TARGET)
    assert row.state == "live"
    assert "always saying" in str(row.reason)
    ClassifierRelease.objects.all().delete()
    bad = candidate_of(row, answers(dataset, 24))
    bad.pk = None
    assert gate(bad, dataset).promote is False
    assert "no better than a guess" in str(gate(bad, dataset).reason)


def test_products_that_came_since_are_answered_by_the_live_one_itself(trained: ClassifierRelease) -> None:
    """The live one sees the colours as they are: on 12 newcomers it is right, and kept answers are not asked."""
    ClassifierRelease.objects.filter(pk=trained.pk).update(held_out=b"")
    fill(8, first=5000)
    dataset = read()
    new = range(24, 48)
    verdict = gate(candidate_of(trained, answers(dataset, 24, new)), dataset)
    assert verdict.compared["products"] == 24
    assert verdict.compared["theirs"] > 0.9
    assert not verdict.promote


def test_labels_that_changed_count_as_they_stand_now(trained: ClassifierRelease) -> None:
    """All red things are moved to another shelf: what the live one had right it has wrong now."""
    Product.objects.filter(category=shelf("red")).update(category=shelf("crimson"))
    dataset = read()
    verdict = gate(candidate_of(trained, answers(dataset, 0)), dataset)
    assert verdict.promote
    assert verdict.compared["theirs"] <= round(16 / 24, 4)
