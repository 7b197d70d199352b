"""Where the reasons for a label lie."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shopvision.classifiers.base import Examples, softmax
from shopvision.classifiers.head_selection import fit_head
from shopvision.classifiers.heads import LinearHead
from shopvision.classifiers.labelled_set import LabelledSet
from shopvision.classifiers.saliency import (
    DRAWS,
    _pooled_part,
    evidence,
    faithfulness,
    head_evidence,
    network_evidence,
    over_photo,
)
from shopvision.encoders.descriptor import describe_maps
from shopvision.encoders.onnx import OnnxEncoder
from shopvision.encoders.projection import unit
from shopvision.images.preprocess import normalise, squares
from tests.drawing import draw
from tests.encoders.colour_graph import LABELS, colour_classifier

RED = LABELS.index("red")


def corner(colour: str = "#ff0000", ground: str = "#0000ff") -> Image.Image:
    """The upper left quarter in one colour, the rest in another."""
    image = Image.new("RGB", (32, 32), ground)
    image.paste(colour, (0, 0, 16, 16))
    return image


def test_a_networks_map_is_the_one_worked_by_hand() -> None:
    """Logits: blue 8 * 3/4 = 6, green 0, red 8 * 1/4 = 2; so the others are blue in e^6 of e^6 + 1 cases.

    A red cell adds 8 to red and nothing to the others, a blue one takes 8 e^6 / (e^6 + 1); each cell is a
    sixteenth of the mean.
    """
    found = network_evidence(colour_classifier(), corner(), RED)
    expected = np.full((4, 4), -8 * np.exp(6) / (np.exp(6) + 1) / 16)
    expected[:2, :2] = 8 / 16
    np.testing.assert_allclose(found.values, expected, rtol=1e-5)
    assert found.share == 1.0
    assert found.heat()[:2, :2].tolist() == [[1, 1], [1, 1]]
    assert found.heat().sum() == 4


def test_nothing_that_speaks_for_a_label_is_an_empty_map() -> None:
    heat = network_evidence(colour_classifier(), corner(), LABELS.index("green")).heat()
    assert heat.max() == 0


def test_a_network_with_another_head_has_no_exact_map() -> None:
    with pytest.raises(ValueError, match="'cnn' classifier has no linear head"):
        network_evidence(colour_classifier("cnn"), corner(), 0)


def test_cells_of_a_pooled_block_add_up_to_its_part() -> None:
    random = np.random.default_rng(0)
    maps, weights = random.random((2, 6, 7, 7)).astype(np.float32), random.standard_normal(6)
    cells = _pooled_part(maps, weights, 5 / 7)
    pooled = unit(maps[:, :, 1:6, 1:6].mean((2, 3)))
    np.testing.assert_allclose(cells.sum((1, 2)), pooled @ weights, rtol=1e-5)
    assert cells[:, 0].tolist() == [[0] * 7] * 2


@pytest.fixture(scope="module")
def head(fp32: OnnxEncoder) -> LinearHead:
    """Trained on drawings of three shapes."""
    photos = [draw(seed) for seed in range(36)]
    described = {name: block for name, block in fp32.describe(photos).items() if name != "palette"}
    targets = np.arange(36) % 3
    training = LabelledSet(Examples(described), ("a", "b", "c"), targets, np.arange(36))
    found, _ = fit_head(training, kind="linear")
    assert isinstance(found, LinearHead)
    return found


def test_a_heads_cells_add_up_to_what_its_pooled_blocks_say(head: LinearHead, fp32: OnnxEncoder) -> None:
    """Checked against the logits themselves: the log-odds' change from the blank photo along the gradient."""
    photo = draw(100)
    found = head_evidence(head, fp32, photo, 1)
    spec = fp32.spec.preprocess
    pixels = squares([photo, Image.new("RGB", photo.size, "white")], spec)
    blocks = describe_maps(fp32.maps(normalise(pixels, spec)), pixels)
    examples = Examples(blocks)
    scores = head.scores(examples, head.nearness(examples))
    others = np.zeros(3)
    others[[0, 2]] = softmax(scores[:, [0, 2]].astype(np.float64))[0]
    space, centres = head.landmarks.space, head.landmarks.centres
    length = np.linalg.norm(space.rows(blocks)[0])
    parts = {}
    for name, matrix in head.logits.maps.items():
        step = unit(blocks[name])[0] - unit(blocks[name])[1]
        both = head.scales[0] * step @ matrix + head.scales[1] * step @ space.maps[name] @ centres.T / length
        parts[name] = both[1] - both @ others
    shown = [parts[name] for name in ("c5", "c3", "grid") if name in parts]
    assert found.values.shape == (14, 14)
    assert found.values.sum() == pytest.approx(sum(shown), rel=1e-3)
    everything = sum(abs(part) for part in parts.values())
    assert found.share == pytest.approx(sum(abs(part) for part in shown) / everything, rel=1e-3)
    assert 0 < found.share < 1


def test_prototypes_have_a_map_too(fp32: OnnxEncoder) -> None:
    photos = [draw(seed) for seed in range(12)]
    training = LabelledSet(Examples(fp32.describe(photos)), ("a", "b"), np.arange(12) % 2, np.arange(12))
    head, _ = fit_head(training, kind="prototypes")
    found = evidence(head, fp32, draw(50), 0)
    assert found is not None
    assert found.values.shape == (14, 14)
    assert 0 < found.share <= 1
    assert evidence(head, None, draw(50), 0) is None


def test_any_classifier_is_asked_the_same_way() -> None:
    found = evidence(colour_classifier(), None, corner(), RED)
    assert found is not None
    np.testing.assert_array_equal(found.values, network_evidence(colour_classifier(), corner(), RED).values)
    assert evidence(colour_classifier("cnn"), None, corner(), RED) is None


def test_a_map_lies_over_the_photo_and_not_over_its_letterbox() -> None:
    """A tall photo takes the middle half of the square; of 4 columns that is the second and the third."""
    heat = np.zeros((4, 4), np.float32)
    heat[:, 1] = 1.0
    laid = over_photo(heat, (20, 40))
    assert laid.shape == (40, 20)
    assert laid[:, 2:8].mean() > 0.8
    assert laid[:, -5:].mean() < 0.1
    assert over_photo(heat, (40, 20), "crop").shape == (20, 40)


def test_masking_what_counts_costs_more_than_masking_elsewhere() -> None:
    classifier = colour_classifier()
    photos = [corner(ground=ground) for ground in ("#0000ff", "#00ff00", "#000000", "#303030")]
    heats = [over_photo(network_evidence(classifier, one, RED).heat(), one.size) for one in photos]
    calls = []

    def red(images: list[Image.Image]) -> np.ndarray:
        calls.append(len(images))
        return classifier.probabilities(Examples(images=images))[:, RED]

    found = faithfulness(red, photos, heats)
    assert calls == [4] * (2 + DRAWS)
    assert found.hot > found.other
    assert found.difference == pytest.approx(found.hot - found.other)
    assert 0 < found.interval[0] <= found.difference <= found.interval[1]


def test_a_map_that_points_nowhere_is_not_faithful() -> None:
    classifier = colour_classifier()
    photos = [Image.effect_noise((32, 32), 90).convert("RGB") for _ in range(6)]
    heats = [np.random.default_rng(row).random((32, 32)) for row in range(6)]
    found = faithfulness(
        lambda images: classifier.probabilities(Examples(images=images))[:, RED], photos, heats
    )
    assert abs(found.difference) < 0.05
