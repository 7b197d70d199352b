"""A trained network in ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from shopvision.classifiers.base import Classifier, Examples
from shopvision.classifiers.fine_tuned import Calibration, FineTuned
from shopvision.classifiers.open_set import OpenSet
from shopvision.encoders.quantise import MIN_CALIBRATION_PHOTOS, quantise_graph
from shopvision.images.preprocess import PreprocessSpec
from tests.contracts.classifier import ClassifierContract
from tests.drawing import draw
from tests.encoders.colour_graph import LABELS, colour_classifier

PHOTOS = [draw(seed, side=side) for seed, side in enumerate((40, 64, 100, 33, 32, 70, 50, 41, 90, 60, 45))]


class TestFineTuned(ClassifierContract):
    """More photos than one batch."""

    @pytest.fixture(params=["finetuned", "cnn"])
    def classifier(self, request: pytest.FixtureRequest) -> Classifier:
        return colour_classifier(request.param)

    @pytest.fixture
    def examples(self) -> Examples:
        return Examples(images=PHOTOS)


def halves(left: str, right: str) -> Image.Image:
    image = Image.new("RGB", (32, 32), left)
    image.paste(right, (16, 0, 32, 32))
    return image


def test_probabilities_are_those_worked_by_hand() -> None:
    """Half red, half black: logits 0, 0, 8 / 2 = 4 for the photo and its mirror image alike."""
    found = colour_classifier().probabilities(Examples(images=[halves("#ff0000", "#000000")]))
    e4 = np.exp(4)
    assert found[0] == pytest.approx([1 / (2 + e4), 1 / (2 + e4), e4 / (2 + e4)], rel=1e-5)


def test_the_scale_is_a_temperature_of_the_mean_probability() -> None:
    """With scale 1/2 probabilities become proportional to their square roots."""
    image = halves("#ff0000", "#000000")
    whole = colour_classifier().probabilities(Examples(images=[image]))[0]
    half = colour_classifier(scale=0.5).probabilities(Examples(images=[image]))[0]
    assert half == pytest.approx(np.sqrt(whole) / np.sqrt(whole).sum(), rel=1e-5)


def test_a_thing_of_no_label_is_doubted() -> None:
    sure, unsure = colour_classifier().known(
        Examples(images=[Image.new("RGB", (32, 32), "#ff0000"), Image.new("RGB", (32, 32), "#555555")])
    )
    assert sure > unsure + 0.2


def test_eight_bits_say_nearly_the_same() -> None:
    whole = colour_classifier()
    small = whole.quantised(
        quantise_graph(whole.graph, whole.preprocess, [draw(seed) for seed in range(MIN_CALIBRATION_PHOTOS)])
    )
    examples = Examples(images=PHOTOS)
    np.testing.assert_allclose(small.probabilities(examples), whole.probabilities(examples), atol=0.05)
    assert (small.labels, small.calibration, small.recipe["precision"]) == (
        whole.labels,
        whole.calibration,
        "int8",
    )
    assert small.digest != whole.digest
    with pytest.raises(ValueError, match="32 photos or more, not 3"):
        quantise_graph(whole.graph, whole.preprocess, PHOTOS[:3])


def test_bytes_that_are_no_graph_are_refused() -> None:
    calibration = Calibration(1.0, np.eye(3, dtype=np.float32), OpenSet())
    with pytest.raises(ValueError, match="not a classifier's graph"):
        FineTuned("cnn", LABELS, b"no graph", PreprocessSpec(size=32), calibration)
