"""Backbones by name, with random weights: what is loaded, exported and refused."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from shopvision.encoders import efficientnet_weights
from shopvision.encoders.backbones import _picks, graph_for, network_for
from shopvision.encoders.onnx import OnnxEncoder
from shopvision.exceptions import Misconfigured
from shopvision.indexing import encoder_releases
from tests.contracts.encoder import PHOTOS, cosines
from tests.fakes import FakeEncoder

NAMES = ("timm:mobilenetv3_small_050", "torchvision:mobilenet_v3_small", "timm:vit_tiny_patch16_224")


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_network_by_name_describes_as_its_graph_does(name: str) -> None:
    torch = pytest.importorskip("torch", reason="needs the torch extra")
    from shopvision.encoders.torch import TorchEncoder

    torch.manual_seed(0)
    encoder = TorchEncoder(name, "cpu", pretrained=False)
    torch.manual_seed(0)
    exported = OnnxEncoder(graph_for(name, pretrained=False))
    assert exported.spec == encoder.spec
    assert (exported.spec.name, exported.spec.origin) == (name, "random")
    assert min(cosines(encoder.describe(PHOTOS), exported.describe(PHOTOS)).values()) > 1 - 1e-4


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("model", ["RN50/openai", "ViT-B-32/openai"])
def test_image_towers_of_clip_models_give_three_maps(model: str) -> None:
    pytest.importorskip("open_clip", reason="needs open_clip_torch")
    encoder = OnnxEncoder(graph_for(f"open_clip:{model}", pretrained=False))
    assert encoder.describe(PHOTOS[:2])["c5"].shape == (2, encoder.spec.channels[0])


@pytest.mark.torch
def test_other_weights_are_another_encoder() -> None:
    torch = pytest.importorskip("torch", reason="needs the torch extra")
    torch.manual_seed(0)
    first, again = (network_for(NAMES[0], pretrained=False)[1] for _ in range(2))
    torch.manual_seed(0)
    same = network_for(NAMES[0], pretrained=False)[1]
    assert first.digest == same.digest != again.digest


@pytest.mark.parametrize("name", ["lite0", "weights:vgg", "timm:", "keras:vgg", "weights:"])
def test_an_unknown_name_is_answered_with_those_there_are(name: str) -> None:
    with pytest.raises(Misconfigured, match="timm:NAME"):
        graph_for(name)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["timm:no_such_net", "torchvision:no_such_net"])
def test_a_model_the_library_has_not_is_named(name: str) -> None:
    pytest.importorskip("timm", reason="needs the torch extra")
    with pytest.raises(Misconfigured, match="no_such_net"):
        graph_for(name)


@pytest.mark.torch
def test_a_network_without_stages_is_refused() -> None:
    pytest.importorskip("torchvision", reason="needs the torch extra")
    with pytest.raises(Misconfigured, match="no convolutional stages"):
        graph_for("torchvision:vit_b_16", pretrained=False)


@pytest.mark.parametrize("name", ["timm:resnet18", "torchvision:resnet18", "open_clip:RN50/openai"])
def test_without_torch_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    real = builtins.__import__

    def refuse(module: str, *args: Any, **kwargs: Any) -> Any:
        if module.partition(".")[0] in {"torch", "timm", "torchvision", "open_clip"}:
            raise ImportError(f"No module named {module!r}")
        return real(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(Misconfigured, match=r"pip install shopvision\[torch\]"):
        graph_for(name)


def test_the_embedded_default_needs_no_torch(graph: bytes) -> None:
    assert graph_for(efficientnet_weights.SPEC.name) == graph


def test_maps_are_picked_by_stride_or_by_depth() -> None:
    assert _picks([2, 4, 8, 16, 32]) == (4, 3, 2)
    assert _picks([16] * 12) == (11, 5, 2)
    with pytest.raises(Misconfigured, match=r"strides 4, 8"):
        _picks([4, 8])


@pytest.mark.torch
@pytest.mark.parametrize("device", ["cuda:99", "abacus"])
def test_a_device_that_is_not_there_is_named(device: str) -> None:
    pytest.importorskip("torch", reason="needs the torch extra")
    from shopvision.encoders.torch import TorchEncoder

    with pytest.raises(Misconfigured, match=device):
        TorchEncoder("weights:efficientnet_lite0", device)


@pytest.mark.torch
def test_a_worker_with_a_device_runs_fp32_in_torch_and_int8_never(
    monkeypatch: pytest.MonkeyPatch, settings: Any, int8_graph: bytes
) -> None:
    """Said by the worker itself: the same settings leave the web process with ONNX Runtime."""
    pytest.importorskip("timm", reason="needs the torch extra")
    seen = []
    monkeypatch.setattr(encoder_releases._seen, "torch", False)
    monkeypatch.setattr(
        encoder_releases,
        "import_string",
        lambda path: lambda *args: seen.append((path, *args)) or FakeEncoder(),
    )
    settings.SHOPVISION = {**settings.SHOPVISION, "DEVICE": "cuda"}
    assert isinstance(encoder_releases.make_encoder(efficientnet_weights.SPEC.name), OnnxEncoder)
    encoder_releases.allow_torch()
    assert isinstance(encoder_releases.make_encoder(efficientnet_weights.SPEC.name, int8_graph), OnnxEncoder)
    encoder_releases.make_encoder(efficientnet_weights.SPEC.name)
    assert seen == [("shopvision.encoders.torch.TorchEncoder", efficientnet_weights.SPEC.name, "cuda")]
