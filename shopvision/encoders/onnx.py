"""OnnxEncoder: encode images with ONNX Runtime on the CPU, fp32 or int8."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime as ort
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf
from PIL.Image import Image

from ..exceptions import Misconfigured
from ..images.preprocess import normalise, squares
from .base import FEATURE_MAPS, Descriptors, EncoderSpec, MapEncoder
from .descriptor import describe_maps

BATCH = 8  # images per run: larger batches are no faster on CPU and hold more memory
REFUSALS = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, RuntimeError)  # share no base of their own
METADATA = "shopvision"  # key of the EncoderSpec in the graph's metadata
INPUT = "pixels"
OUTPUTS = ("map", "logits")
"""Of a classifier's graph: the last map (N, C, h, w), and logits (N, L)."""


def session_of(graph: bytes, threads: int = 1) -> ort.InferenceSession:
    """The graph in ONNX Runtime, on the CPU."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


class OnnxEncoder(MapEncoder):
    """Runs a graph of ours in ONNX Runtime; the graph carries its own record.

    Args:
        graph: serialised ONNX with the three feature maps as outputs.
        threads: of the session; 1 where many processes share few cores.

    Raises:
        Misconfigured: the bytes are no graph of ours.
    """

    def __init__(self, graph: bytes, *, threads: int = 1) -> None:
        try:
            self._session = session_of(graph, threads)
            self.spec = EncoderSpec.from_json(self._session.get_modelmeta().custom_metadata_map[METADATA])
        except (KeyError, ValueError, *REFUSALS) as error:
            raise Misconfigured("not_an_encoder_graph", error=error) from error
        self._input = self._session.get_inputs()[0].name

    def maps(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """The three feature maps, float32 (N, C, h, w)."""
        outputs = self._session.run(list(FEATURE_MAPS), {self._input: pixels})
        return dict(zip(FEATURE_MAPS, outputs, strict=True))

    def describe(self, images: Sequence[Image]) -> Descriptors:
        """Blocks by name, float32 (N, d), computed ``BATCH`` images at a time."""
        spec = self.spec.preprocess
        parts = []
        for start in range(0, max(len(images), 1), BATCH):
            batch = squares(images[start : start + BATCH], spec)
            parts.append(describe_maps(self.maps(normalise(batch, spec)), batch))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
