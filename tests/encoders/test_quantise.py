"""fp32 -> int8."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from shopvision.encoders.base import BlockSpec, Descriptors, EncoderSpec
from shopvision.encoders.onnx import OnnxEncoder
from shopvision.encoders.projection import unit
from shopvision.encoders.quantise import MIN_CALIBRATION_PHOTOS, fidelity, quantise


def cosines(a: Descriptors, b: Descriptors, name: str) -> np.ndarray:
    return np.asarray((unit(a[name]) * unit(b[name])).sum(1))


def test_too_few_photos_to_calibrate_on_are_refused(graph: bytes, drawings: list[Image.Image]) -> None:
    with pytest.raises(ValueError, match=f"{MIN_CALIBRATION_PHOTOS} photos or more, not 31"):
        quantise(graph, drawings[: MIN_CALIBRATION_PHOTOS - 1])


def test_the_same_photos_give_the_same_graph(
    graph: bytes, int8_graph: bytes, drawings: list[Image.Image]
) -> None:
    assert quantise(graph, drawings) == int8_graph


def test_other_photos_are_another_encoder(
    graph: bytes, int8_graph: bytes, drawings: list[Image.Image]
) -> None:
    brighter = [image.point(lambda level: level // 3) for image in drawings]
    first, second = (OnnxEncoder(g).spec for g in (int8_graph, quantise(graph, brighter)))
    assert first.weights_digest == second.weights_digest
    assert first.digest != second.digest


def test_precision_is_part_of_the_digest(fp32: OnnxEncoder, int8_graph: bytes) -> None:
    spec = OnnxEncoder(int8_graph).spec
    assert (spec.precision, fp32.spec.precision) == ("int8", "fp32")
    assert spec.digest != fp32.spec.digest
    assert EncoderSpec.from_json(spec.to_json()) == spec


def test_eight_bits_describe_nearly_the_same_in_a_third_of_the_bytes(
    fp32: OnnxEncoder, graph: bytes, int8_graph: bytes, drawings: list[Image.Image]
) -> None:
    small = OnnxEncoder(int8_graph)
    a, b = fp32.describe(drawings[:8]), small.describe(drawings[:8])
    assert cosines(a, b, "c5").min() > 0.95
    assert cosines(a, b, "t4").min() > 0.99
    np.testing.assert_array_equal(a["colour"], b["colour"])  # colour never passes the network
    assert len(int8_graph) < len(graph) / 3


def test_fidelity_looks_at_what_differs_between_photos() -> None:
    """Less their mean the rows are +-(1, 0) and +-(0, 1): at right angles, though the photos share (9, 9)."""
    exact = np.array([[10.0, 9.0], [8.0, 9.0]])
    turned = np.array([[9.0, 10.0], [9.0, 8.0]])
    specs = [BlockSpec(name, 2, "shape") for name in ("c5", "c3", "t10", "t4")]
    same = dict.fromkeys((one.name for one in specs), exact)
    assert fidelity(same, same, specs) == pytest.approx(1.0)
    assert fidelity(same, {**same, "t4": turned}, specs) == pytest.approx(0.0)


def test_no_pair_of_products_can_overflow_sixteen_bits(int8_graph: bytes) -> None:
    """Without VNNI a kernel adds two products of an activation (at most 255) and a weight in 16 bits."""
    model = onnx.load_from_string(int8_graph)
    weights = [numpy_helper.to_array(one) for one in model.graph.initializer]
    largest = max(int(np.abs(w.astype(int)).max()) for w in weights if w.dtype == np.int8 and w.ndim == 4)
    assert 2 * 255 * largest <= 2**15 - 1


def test_the_input_contract_is_kept(graph: bytes, int8_graph: bytes) -> None:
    whole, small = (onnx.load_from_string(g).graph for g in (graph, int8_graph))
    assert [o.name for o in small.output] == [o.name for o in whole.output]
    assert small.input == whole.input


def test_the_first_three_convolutions_stay_exact(int8_graph: bytes) -> None:
    """The stem and block 0 (depthwise, project): their weights are the only float tensors of four axes."""
    model = onnx.load_from_string(int8_graph)
    floats = [
        w.name for w in model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT and len(w.dims) == 4
    ]
    assert floats == ["stem.w", "_blocks.0._depthwise_conv.w", "_blocks.0._project_conv.w"]
