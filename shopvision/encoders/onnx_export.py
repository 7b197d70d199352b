"""Export torch networks to ONNX and verify the result against torch."""

from __future__ import annotations

import copy
import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import onnx
import torch
from onnx import helper
from torch import nn

from ..exceptions import Misconfigured
from .base import FEATURE_MAPS, EncoderSpec
from .efficientnet_graph import IR_VERSION
from .onnx import INPUT, OUTPUTS, OnnxEncoder, session_of

STRIDES = (32, 16, 8)  # of c5, t10, t4
OPSET = 18  # what torch's exporter writes without converting
TOLERANCE = 1e-3  # of the largest value of a map: fp32 sums in another order
METADATA = "shopvision"

WORTH_A_GRAPH = 1000  # photos
Trunk = Callable[[torch.Tensor], torch.Tensor]
Maps = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class StagedNetwork(nn.Module):  # type: ignore[misc]
    """A network as a row of stages; gives the last map at each of ``STRIDES``.

    Args:
        stages: applied in order.

    Raises:
        Misconfigured: (when called) no stage ends at one of the strides.
    """

    def __init__(self, stages: Sequence[nn.Module]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)

    def forward(self, pixels: torch.Tensor) -> Maps:
        """Pixels (N, 3, S, S) -> c5, t10, t4, each (N, C, h, w)."""
        side, last = pixels.shape[-1], {}
        x = pixels
        for stage in self.stages:
            x = stage(x)
            last[round(side / x.shape[-1])] = x
        try:
            c5, t10, t4 = (last[stride] for stride in STRIDES)
        except KeyError as missing:
            raise Misconfigured("backbone_map_missing", missing=missing, last=sorted(last)) from None
        return c5, t10, t4


class PickedMaps(nn.Module):  # type: ignore[misc]
    """A network that gives several maps at once; picks three of them.

    Args:
        network: what it is part of, so that its weights count.
        maps: pixels -> maps, earliest first.
        picks: numbers of c5, t10 and t4 among them.
        channels_last: the maps are (N, h, w, C), as some transformers give them.
    """

    def __init__(
        self,
        network: nn.Module,
        maps: Callable[[torch.Tensor], Sequence[torch.Tensor]],
        picks: Sequence[int],
        *,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self._maps, self._picks, self._channels_last = maps, tuple(picks), channels_last

    def forward(self, pixels: torch.Tensor) -> Maps:
        """Pixels (N, 3, S, S) -> c5, t10, t4, each (N, C, h, w)."""
        maps = self._maps(pixels)
        c5, t10, t4 = (maps[pick] for pick in self._picks)
        if self._channels_last:
            c5, t10, t4 = (one.permute(0, 3, 1, 2) for one in (c5, t10, t4))
        return c5, t10, t4


def state_digest(network: nn.Module) -> str:
    """sha256 over names, shapes and little-endian values of the state dict, in its order."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        array = value.detach().cpu().numpy()
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def channels(network: nn.Module, size: int) -> tuple[int, ...]:
    """Channels of c5, t10, t4, found by showing the network one blank square.

    Raises:
        Misconfigured: the network gives no three maps of a photo of that size.
    """
    with torch.inference_mode():
        maps = network.eval()(torch.zeros(1, 3, size, size))
    if any(one.ndim != 4 for one in maps):
        raise Misconfigured("backbone_map_shapes_unsupported", value=[tuple(m.shape) for m in maps])
    return tuple(int(one.shape[1]) for one in maps)


def to_onnx(network: nn.Module, spec: EncoderSpec) -> bytes:
    """The network as a graph for ``OnnxEncoder``, with its record in the metadata.

    Args:
        network: pixels (N, 3, S, S) -> c5, t10, t4.
        spec: its record; ``preprocess.size`` is the side of the square.

    Raises:
        Misconfigured: it cannot be exported, or the graph computes something else than torch.
    """
    network = network.eval()
    example = _example(spec.preprocess.size)
    model = _exported(network, example, FEATURE_MAPS, spec.name)
    helper.set_model_props(model, {METADATA: spec.to_json()})
    graph = bytes(model.SerializeToString(deterministic=True))
    encoder = OnnxEncoder(graph)
    _compare(network, lambda pixels: list(encoder.maps(pixels).values()), example, FEATURE_MAPS, spec.name)
    return graph


def classifier_to_onnx(network: nn.Module, size: int, name: str) -> bytes:
    """A trained classifier as a graph for ``FineTuned``: outputs ``map`` and ``logits``.

    Args:
        network: pixels (N, 3, S, S) -> last map (N, C, h, w), logits (N, L).
        size: S.
        name: for messages.

    Raises:
        Misconfigured: it cannot be exported, or the graph computes something else than torch.
    """
    network = copy.deepcopy(network).cpu().eval()
    example = _example(size)
    model = _exported(network, example, OUTPUTS, name)
    graph = bytes(model.SerializeToString(deterministic=True))
    session = session_of(graph)
    _compare(network, lambda pixels: session.run(list(OUTPUTS), {INPUT: pixels}), example, OUTPUTS, name)
    return graph


def frozen_part(trunk: nn.Module, size: int, photos: int) -> Trunk:
    """The trunk of a ``ClassifierNetwork`` as a function; in ONNX Runtime, at half the time, where that pays.

    Args:
        trunk: on its device; only on the CPU is anything gained.
        size: side of the square.
        photos: that will pass it; making the graph costs as much as some hundred of them.
    """
    if photos < WORTH_A_GRAPH or next(trunk.parameters()).is_cuda:
        return cast(Trunk, trunk)
    single = _Single(trunk).eval()
    example = _example(size)
    graph = _exported(single, example, ("frozen",), "the frozen part").SerializeToString()
    session = session_of(graph, torch.get_num_threads())
    _compare(single, lambda pixels: session.run(None, {INPUT: pixels}), example, ("frozen",), "frozen part")

    def run(pixels: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {INPUT: pixels.contiguous().numpy()})[0])

    return run


class _Single(nn.Module):  # type: ignore[misc]
    """A module of one output as one of several."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        return (self.module(pixels),)


def _example(size: int) -> torch.Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def _exported(
    network: nn.Module, example: torch.Tensor, outputs: Sequence[str], name: str
) -> onnx.ModelProto:
    try:
        program = _quietly(network, example, outputs)
    except Exception as error:
        raise Misconfigured("onnx_export_failed", name=name, error=error) from error
    model: onnx.ModelProto = program.model_proto
    model.ir_version = min(model.ir_version, IR_VERSION)
    return model


def _quietly(network: nn.Module, example: torch.Tensor, outputs: Sequence[str]) -> Any:
    """Run torch's exporter without its progress lines."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        return torch.onnx.export(
            network,
            (example,),
            input_names=[INPUT],
            output_names=list(outputs),
            dynamic_shapes=({0: torch.export.Dim("N", min=1, max=1024)},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    finally:
        log.setLevel(before)


def _compare(
    network: nn.Module,
    run: Callable[[np.ndarray], Sequence[np.ndarray]],
    example: torch.Tensor,
    outputs: Sequence[str],
    name: str,
) -> None:
    """What the graph gives for one photo and for two against torch's."""
    for pixels in (example, example[:1]):
        with torch.inference_mode():
            expected = network(pixels)
        found = run(pixels.numpy())
        for key, values, tensor in zip(outputs, found, expected, strict=True):
            wanted = tensor.numpy()
            error = float(np.abs(values - wanted).max()) / max(float(np.abs(wanted).max()), 1e-6)
            if error > TOLERANCE:
                raise Misconfigured(
                    "onnx_export_differs",
                    name=name,
                    key=key,
                    error=f"{error:.1e}",
                    tolerance=f"{TOLERANCE:.0e}",
                )
