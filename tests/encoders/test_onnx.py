"""OnnxEncoder refuses what is no graph of ours."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from shopvision.encoders.base import FEATURE_MAPS
from shopvision.encoders.onnx import OnnxEncoder
from shopvision.exceptions import Misconfigured


def test_bytes_that_are_no_graph_are_refused() -> None:
    with pytest.raises(Misconfigured, match="not an encoder graph"):
        OnnxEncoder(b"no graph at all")


@pytest.mark.parametrize("record", [None, "{}", "[1]", "not json"])
def test_a_graph_without_a_proper_record_is_refused(graph: bytes, record: str | None) -> None:
    model = onnx.load_from_string(graph)
    del model.metadata_props[:]
    if record is not None:
        helper.set_model_props(model, {"shopvision": record})
    with pytest.raises(Misconfigured, match="not an encoder graph"):
        OnnxEncoder(model.SerializeToString())


def test_the_maps_have_the_announced_shapes(fp32: OnnxEncoder) -> None:
    maps = fp32.maps(np.zeros((2, 3, 224, 224), np.float32))
    assert {name: maps[name].shape for name in FEATURE_MAPS} == {
        "c5": (2, 1280, 7, 7),
        "t10": (2, 112, 14, 14),
        "t4": (2, 40, 28, 28),
    }
