"""A classifier of colours whose every number can be worked by hand."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from shopvision.classifiers.fine_tuned import INPUT, OUTPUTS, Calibration, FineTuned
from shopvision.classifiers.open_set import OpenSet
from shopvision.images.preprocess import PreprocessSpec

SIDE, CELLS = 32, 4
SPEC = PreprocessSpec(size=SIDE, mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0))
LABELS = ("blue", "green", "red")
HEAD = np.array([[0, 0, 8], [0, 8, 0], [8, 0, 0]], np.float32)  # of each label, the channel it stands for


def colour_graph(head: np.ndarray = HEAD) -> bytes:
    """Mean colour of each of 4 x 4 cells -> mean over the cells -> eight times the label's channel."""
    nodes = [
        helper.make_node("AveragePool", [INPUT], ["map"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "head"], ["logits"], transB=1),
    ]
    shapes = {"map": ["N", 3, CELLS, CELLS], "logits": ["N", len(head)]}
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in OUTPUTS],
        [numpy_helper.from_array(head, "head")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def colour_classifier(kind: str = "finetuned", *, scale: float = 1.0) -> FineTuned:
    """The graph as a classifier; a ``cnn`` says nothing of its head."""
    centres = HEAD / 8
    return FineTuned(
        kind,
        LABELS,
        colour_graph(),
        SPEC,
        Calibration(scale, centres, OpenSet()),
        head=HEAD if kind == "finetuned" else None,
        recipe={"backbone": "by hand"},
    )
