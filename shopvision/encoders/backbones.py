"""Load a backbone by name as a torch network or an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any

from ..exceptions import Misconfigured
from ..images.preprocess import PreprocessSpec
from . import efficientnet_weights
from .base import EncoderSpec
from .descriptor import map_specs

TORCH_HALF = f"{__package__}.onnx_export"  # loaded by its name, so that torch stays out of the web process
LITE_GRAPH = (
    f"{__package__}.efficientnet_graph"  # onnx: 17 MB that a process whose release has its graph never needs
)
RESNET_STAGES = ("layer1", "layer2", "layer3", "layer4")
UNKNOWN = "not stated; see the model's own page"


@lru_cache(maxsize=1)
def graph_for(name: str, *, pretrained: bool = True) -> bytes:
    """The graph of a backbone, with three feature maps as outputs.

    Args:
        name: ``weights:efficientnet_lite0``, ``timm:NAME``, ``torchvision:NAME`` or ``open_clip:MODEL/TAG``.
        pretrained: load the published weights, which may download them; False draws random ones (tests).

    Raises:
        Misconfigured: no such backbone, or the extra it needs is not installed.
    """
    if name == efficientnet_weights.SPEC.name:
        return bytes(import_module(LITE_GRAPH).build_graph())
    network, spec = network_for(name, pretrained=pretrained)
    return bytes(import_module(TORCH_HALF).to_onnx(network, spec))


def network_for(name: str, *, pretrained: bool = True) -> tuple[Any, EncoderSpec]:
    """The backbone as a torch module: pixels (N, 3, S, S) -> c5, t10, t4, and its record.

    Args:
        name: as for ``graph_for``.
        pretrained: as for ``graph_for``.

    Raises:
        Misconfigured: no such backbone, its weights cannot be had, or the torch extra is not installed.
    """
    family, _, model = name.partition(":")
    maker = _FAMILIES.get(family)
    if maker is None or not model or (family == "weights" and name != efficientnet_weights.SPEC.name):
        raise Misconfigured("unknown_encoder_name", name=name, name2=efficientnet_weights.SPEC.name)
    try:
        network, spec = maker(model, pretrained)
    except ImportError as error:
        more = " open_clip_torch" if family == "open_clip" else ""
        raise Misconfigured("encoder_needs_torch", name=name, more=more, error=error) from error
    except Misconfigured:
        raise
    except Exception as error:
        raise Misconfigured("encoder_cannot_be_loaded", name=name, error=error) from error
    return network.eval(), spec


def _lite(_: str, pretrained: bool) -> tuple[Any, EncoderSpec]:
    """The embedded default in timm's code: its layers come in the order of the weights file."""
    import timm
    import torch

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    state = dict(zip(network.state_dict(), efficientnet_weights.load_state().values(), strict=True))
    network.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    stages = [network.conv_stem, network.bn1, *network.blocks, network.conv_head, network.bn2]
    return import_module(TORCH_HALF).StagedNetwork(stages), efficientnet_weights.SPEC


def _timm(model: str, pretrained: bool) -> tuple[Any, EncoderSpec]:
    """Convolutional and hierarchical networks by their strides; plain transformers by their depth."""
    import timm

    if not timm.is_model(model.partition(".")[0]):
        raise Misconfigured("unknown_timm_model", model=model)
    network = timm.create_model(model, pretrained=pretrained, features_only=True)
    strides = network.feature_info.reduction()
    half = import_module(TORCH_HALF)
    last = getattr(network, "output_fmt", "NCHW")
    maps = half.PickedMaps(
        network, network, _picks(strides), channels_last=str(getattr(last, "value", last)) == "NHWC"
    )
    config = network.pretrained_cfg
    return maps, _spec(
        f"timm:{model}",
        maps,
        PreprocessSpec(config["input_size"][-1], _bytes(config["mean"]), _bytes(config["std"])),
        licence=config.get("license") or UNKNOWN,
        origin=str(config.get("hf_hub_id") or config.get("url") or "") if pretrained else "random",
    )


def _picks(strides: list[int]) -> tuple[int, int, int]:
    """Numbers of the maps for c5, t10, t4: by stride, or by depth where all maps have one stride."""
    by_stride = {stride: number for number, stride in enumerate(strides)}
    if {8, 16, 32} <= by_stride.keys():
        return by_stride[32], by_stride[16], by_stride[8]
    last = len(strides) - 1
    if len(by_stride) == 1:
        return last, last // 2, last // 4
    raise Misconfigured("backbone_strides_unsupported", strides=strides)


def _torchvision(model: str, pretrained: bool) -> tuple[Any, EncoderSpec]:
    """Networks with ``features`` (MobileNet, EfficientNet, ConvNeXt, ...) or ``layer1`` to ``layer4`` (ResNet)."""
    from torchvision import models

    if model not in models.list_models(module=models):
        raise Misconfigured("unknown_torchvision_model", model=model)
    weights = models.get_model_weights(model).DEFAULT
    network = models.get_model(model, weights=weights if pretrained else None)
    if hasattr(network, "features"):
        stages = list(network.features)
    elif hasattr(network, "layer4"):
        stem = (network.conv1, network.bn1, network.relu, network.maxpool)
        stages = [*stem, *(getattr(network, name) for name in RESNET_STAGES)]
    else:
        raise Misconfigured("torchvision_model_unsupported", model=model)
    wanted = weights.transforms()
    size = 32 * round(wanted.crop_size[0] / 32)
    return _staged(
        f"torchvision:{model}",
        stages,
        PreprocessSpec(size, _bytes(wanted.mean), _bytes(wanted.std)),
        origin=str(weights.url) if pretrained else "random",
    )


def _open_clip(model: str, pretrained: bool) -> tuple[Any, EncoderSpec]:
    """Image towers of CLIP models: ResNets by their stages, transformers by the grid of their patches."""
    import open_clip

    model, _, tag = model.partition("/")
    if model not in open_clip.list_models():
        raise Misconfigured("unknown_open_clip_model", model=model)
    if pretrained and tag not in open_clip.list_pretrained_tags_by_model(model):
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(model))
        raise Misconfigured("unknown_open_clip_weights", model=model, tag=tag, tags=tags)
    visual = open_clip.create_model(model, pretrained=tag if pretrained else None).visual
    config = visual.preprocess_cfg
    size = config["size"] if isinstance(config["size"], int) else config["size"][0]
    preprocess = PreprocessSpec(size, _bytes(config["mean"]), _bytes(config["std"]))
    name, origin = f"open_clip:{model}/{tag}", f"open_clip {model} {tag}" if pretrained else "random"
    if hasattr(visual, "layer4"):
        stem = [getattr(visual, f"{part}{n}") for n in (1, 2, 3) for part in ("conv", "bn", "act")]
        stages = [*stem, visual.avgpool, *(getattr(visual, one) for one in RESNET_STAGES)]
        return _staged(name, stages, preprocess, origin=origin)
    if not hasattr(visual, "transformer") or not hasattr(visual, "patch_size"):
        raise Misconfigured("open_clip_tower_unsupported", name=name)
    depth = len(visual.transformer.resblocks)
    blocks = [depth // 4, depth // 2, depth - 1]

    def maps(pixels: Any) -> list[Any]:
        found = visual.forward_intermediates(pixels, indices=blocks, intermediates_only=True)
        return list(found["image_intermediates"])

    network = import_module(TORCH_HALF).PickedMaps(visual, maps, (2, 1, 0))
    return network, _spec(name, network, preprocess, origin=origin)


def _staged(
    name: str, stages: list[Any], preprocess: PreprocessSpec, *, origin: str
) -> tuple[Any, EncoderSpec]:
    network = import_module(TORCH_HALF).StagedNetwork(stages)
    return network, _spec(name, network, preprocess, origin=origin)


def _spec(
    name: str, network: Any, preprocess: PreprocessSpec, *, licence: str = UNKNOWN, origin: str
) -> EncoderSpec:
    half = import_module(TORCH_HALF)
    channels = half.channels(network, preprocess.size)
    return EncoderSpec(
        name=name,
        weights_digest=half.state_digest(network),
        precision="fp32",
        blocks=map_specs(channels),
        channels=channels,
        preprocess=preprocess,
        licence=licence,
        origin=origin,
    )


def _bytes(values: Any) -> tuple[float, float, float]:
    """Mean or deviation from the 0-1 scale to 0-255."""
    red, green, blue = (round(255 * float(value), 4) for value in values)
    return red, green, blue


_FAMILIES: dict[str, Callable[[str, bool], tuple[Any, EncoderSpec]]] = {
    "weights": _lite,
    "timm": _timm,
    "torchvision": _torchvision,
    "open_clip": _open_clip,
}
