"""Static int8 quantisation of ONNX graphs."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from PIL.Image import Image

from ..images.preprocess import PreprocessSpec, normalise, squares
from .base import BlockSpec, Descriptors, EncoderSpec, families
from .onnx import METADATA

CALIBRATION_PHOTOS = 96  # more changed no descriptor by more than its own rounding
MIN_CALIBRATION_PHOTOS = 32
KEPT_CONVOLUTIONS = 3  # mean cosine to fp32 0.977 -> 0.987 on groceries; keeping the head too added nothing


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    """Hands the calibrator one photo at a time."""

    def __init__(self, name: str, batches: Iterator[np.ndarray]) -> None:
        self._batches = ({name: batch} for batch in batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next photo, or None at the end."""
        return next(self._batches, None)


def quantise(graph: bytes, photos: Sequence[Image]) -> bytes:
    """Static int8 quantisation, weights and activations (QDQ, per channel), calibrated on the photos.

    Unsigned activations of 8 bits, signed weights of 7: CPUs without VNNI add pairs of products in 16 bits,
    which 8-bit weights overflow (cosines to fp32 of groceries fell to 0.77), so every kind of CPU gives the
    same numbers, and one index serves a mixed cluster. The first convolutions stay in fp32: they see few
    channels, cost little and err most. The calibration is part of the encoder's digest.

    Args:
        graph: fp32, with its EncoderSpec in the metadata.
        photos: upright RGB; MIN_CALIBRATION_PHOTOS or more, the first CALIBRATION_PHOTOS are used.

    Raises:
        ValueError: too few photos.

    Source: Jacob et al., "Quantization and Training of Neural Networks", CVPR 2018.
    """
    if len(photos) < MIN_CALIBRATION_PHOTOS:
        raise ValueError(f"calibration takes {MIN_CALIBRATION_PHOTOS} photos or more, not {len(photos)}")
    model = onnx.load_from_string(graph)
    props = {entry.key: entry.value for entry in model.metadata_props}
    spec = EncoderSpec.from_json(props[METADATA])
    pixels = squares(photos[:CALIBRATION_PHOTOS], spec.preprocess)
    batches = (normalise(pixels[i : i + 1], spec.preprocess) for i in range(len(pixels)))
    small = quantise_model(model, batches)
    calibration = hashlib.sha256(small.graph.SerializeToString(deterministic=True)).hexdigest()
    spec = replace(spec, precision="int8", calibration_digest=calibration)
    helper.set_model_props(small, {**props, METADATA: spec.to_json()})
    return bytes(small.SerializeToString(deterministic=True))


def quantise_graph(graph: bytes, preprocess: PreprocessSpec, photos: Sequence[Image]) -> bytes:
    """A graph without our record, such as a classifier's, at int8.

    Args:
        graph: fp32, batch-norms folded.
        preprocess: how its input is made of a photo.
        photos: as for ``quantise``.

    Raises:
        ValueError: too few photos.
    """
    if len(photos) < MIN_CALIBRATION_PHOTOS:
        raise ValueError(f"calibration takes {MIN_CALIBRATION_PHOTOS} photos or more, not {len(photos)}")
    few = photos[:CALIBRATION_PHOTOS]
    batches = (normalise(squares([one], preprocess), preprocess) for one in few)
    return bytes(quantise_model(onnx.load_from_string(graph), batches).SerializeToString(deterministic=True))


def quantise_model(model: onnx.ModelProto, batches: Iterator[np.ndarray]) -> onnx.ModelProto:
    """The same for any graph of one input, without our record.

    Args:
        model: fp32, with batch-norms folded.
        batches: what the input takes, normalised, one or more photos each.
    """
    ready = onnx.ModelProto()
    ready.CopyFrom(model)
    props = {entry.key: entry.value for entry in model.metadata_props}
    helper.set_model_props(ready, {**props, "onnx.quant.pre_process": "onnxruntime.quant"})
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(ready.SerializeToString())
        quantize_static(
            source,
            target,
            _Reader(model.graph.input[0].name, batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=True,
            nodes_to_exclude=_first_convolutions(model),
            calibrate_method=CalibrationMethod.MinMax,
        )
        return onnx.load(target)


def fidelity(exact: Descriptors, rounded: Descriptors, specs: Sequence[BlockSpec]) -> float:
    """How alike two descriptions of the same photos are, [-1, 1]: the worst block's mean cosine.

    Each block is taken less its mean over the photos: what all photos share would hide what differs. At 0.979
    the rounding cost 0.6 points of recall@1 or less on 479 queries.

    Args:
        exact, rounded: blocks (N, d) of the same photos, N of 2 or more.
    """
    worst = 1.0
    named = [name for family, names in families(specs).items() if family != "colour" for name in names]
    for name in named:
        a, b = (block[name] - block[name].mean(0) for block in (exact, rounded))
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        worst = min(worst, float(((a * b).sum(1) / np.maximum(lengths, 1e-12)).mean()))
    return worst


def _first_convolutions(model: onnx.ModelProto) -> list[str]:
    return [node.name for node in model.graph.node if node.op_type == "Conv"][:KEPT_CONVOLUTIONS]
