from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save

from shopvision.classifiers.base import METADATA, Examples, classifier_from_bytes, softmax
from shopvision.classifiers.cross_validation import Table
from shopvision.classifiers.head_selection import fit_head
from shopvision.classifiers.labelled_set import Glances, LabelledSet
from shopvision.classifiers.modalities import photo_side


def coloured(seed: int = 0, *, labels: int = 4, each: int = 30, spread: float = 0.35) -> LabelledSet:
    """Two photos of each product around its label's direction, in two blocks."""
    rng = np.random.default_rng(seed)
    targets = np.repeat(np.arange(labels), each)
    products = np.arange(len(targets)) // 2
    centres = np.random.default_rng(7).standard_normal((labels, 24))
    blocks = {}
    for name, size in (("c5", 24), ("t10", 12)):
        blocks[name] = (centres[targets, :size] + spread * rng.standard_normal((len(targets), size))).astype(
            np.float32
        )
    return LabelledSet(Examples(blocks), tuple("abcdefgh"[:labels]), targets, products)


@pytest.mark.parametrize("kind", ["prototypes", "linear"])
def test_a_head_survives_its_bytes(kind: str) -> None:
    training = coloured()
    head, report = fit_head(training, kind=kind)
    again = classifier_from_bytes(head.to_bytes())
    assert (again.kind, again.labels, again.digest) == (kind, training.labels, head.digest)
    probabilities = head.probabilities(training.examples)
    assert probabilities.dtype == np.float32
    assert probabilities.sum(1) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(again.probabilities(training.examples), probabilities)
    assert np.array_equal(again.known(training.examples), head.known(training.examples))
    assert (report.probabilities.argmax(1) == training.targets).mean() > 0.95
    assert (head.probabilities(coloured(1).examples).argmax(1) == training.targets).mean() > 0.95


def test_no_examples_give_no_rows() -> None:
    head, _ = fit_head(coloured(), kind="linear")
    nothing = coloured().examples.take(np.array([], int))
    assert head.probabilities(nothing).shape == (0, 4)
    assert head.known(nothing).shape == (0,)


def test_what_a_head_looks_at_must_be_there() -> None:
    head, _ = fit_head(coloured(), kind="linear")
    with pytest.raises(ValueError, match="descriptors"):
        head.probabilities(Examples(texts=["a red shoe"]))
    with pytest.raises(ValueError, match="lack t10"):
        head.probabilities(Examples({"c5": np.ones((1, 24), np.float32)}))


def test_a_thing_of_no_label_is_doubted() -> None:
    head, _ = fit_head(coloured(), kind="linear")
    strange = coloured(2, labels=8).take(np.arange(120, 240))
    assert np.median(head.known(coloured(1).examples)) > np.median(head.known(strange.examples)) + 0.3


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"format": 99, "kind": "linear"}, "format 99"),
        ({"format": 1, "kind": "oracle"}, "unknown kind 'oracle'"),
    ],
)
def test_other_bytes_are_refused(record: dict[str, object], words: str) -> None:
    data = save({"x": np.zeros(1, np.float32)}, {METADATA: json.dumps(record)})
    with pytest.raises(ValueError, match=words):
        classifier_from_bytes(data)
    with pytest.raises(ValueError, match="hold no classifier"):
        classifier_from_bytes(b"nonsense")


def test_softmax_is_worked_by_hand() -> None:
    """Odds 1 : 3 give 1/4 and 3/4; a constant changes nothing."""
    assert softmax(np.log([[1.0, 3.0]]) + 500) == pytest.approx(np.array([[1 / 4, 3 / 4]]))


def test_glances_are_learned_from_and_never_judged() -> None:
    """Two noisier looks at each photo: as many answers out of fold as photos, and no fold has seen its own."""
    training = coloured(labels=4, each=8, spread=1.2)
    rng = np.random.default_rng(5)
    rows = np.repeat(np.arange(len(training)), 2)
    blocks = {
        name: (block[rows] + 0.4 * rng.standard_normal((len(rows), block.shape[1]))).astype(np.float32)
        for name, block in (training.examples.descriptors or {}).items()
    }
    more = replace(training, glances=Glances(blocks, rows))
    head, report = fit_head(more, kind="linear")
    assert len(report.probabilities) == len(training)
    assert head.digest != fit_head(training, kind="linear")[0].digest
    shuffled = replace(more, targets=np.random.default_rng(3).permutation(training.targets))
    _, chance = fit_head(shuffled, kind="linear")
    assert (chance.probabilities.argmax(1) == shuffled.targets).mean() < 0.5


def test_prototypes_learn_from_photos_as_they_are() -> None:
    training = coloured()
    blocks = training.examples.descriptors or {}
    more = replace(training, glances=Glances(blocks, np.arange(len(training))))
    side = photo_side(more, np.arange(len(training)) % 5, 0.5)
    assert side.table.glances is not None
    assert side.of("linear") is side
    assert side.of("prototypes").table.glances is None


def test_a_table_gives_each_row_with_its_glances() -> None:
    """Glances 0, 1 and 2 at rows 1, 2 and 1: of rows 2 and 1 (places 0 and 1) all three are learned."""
    table = Table(
        np.arange(3.0)[:, None],
        np.array([0, 1, 1]),
        2,
        np.arange(3),
        np.ones(3),
        glances=np.array([[10.0], [20.0], [11.0]]),
        glance_of=np.array([1, 2, 1]),
    )
    x, place = table.learned(np.array([2, 1]))
    assert x.ravel().tolist() == [2, 1, 10, 20, 11]
    assert place.tolist() == [0, 1, 1, 0, 1]
    moved = table.moved(np.array([1.0]))
    assert moved.glances is not None
    assert (moved.rows.ravel().tolist(), moved.glances.ravel().tolist()) == ([-1, 0, 1], [9, 19, 10])
