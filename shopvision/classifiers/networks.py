"""Torch networks for classification: a pretrained backbone with a linear head, and a small CNN."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..encoders.backbones import network_for
from ..encoders.onnx_export import StagedNetwork
from ..images.preprocess import PreprocessSpec

SIDE_STEP = 32  # input sides are multiples of it
SMALL_CNN_SPEC = PreprocessSpec(size=128, mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5))


class ClassifierNetwork(nn.Module):  # type: ignore[misc]
    """pixels -> (last map (N, C, h, w), logits (N, L)); ``trunk`` is frozen, ``tail`` and ``head`` learn.

    Args:
        trunk: pixels -> what the tail takes; never trained, so that its outputs can be kept.
        tail: the layers that are trained, in order.
        head: last map -> logits.
        keep_statistics: of the batch norms, as they were pretrained: a shop's batches are small and unlike
            ImageNet, and statistics taken from them cost accuracy.
    """

    def __init__(
        self, trunk: nn.Module, tail: nn.Module, head: nn.Module, *, keep_statistics: bool = True
    ) -> None:
        super().__init__()
        self.trunk, self.tail, self.head, self._keep_statistics = trunk, tail, head, keep_statistics
        for parameter in trunk.parameters():
            parameter.requires_grad_(False)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The whole network."""
        return self.from_trunk(self.trunk(pixels))

    def from_trunk(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What follows the frozen part."""
        maps = self.tail(inputs)
        return maps, self.head(maps)

    def train(self, mode: bool = True) -> ClassifierNetwork:
        """Training mode for the layers that learn."""
        super().train(mode)
        self.trunk.eval()
        if self._keep_statistics:
            for module in self.tail.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


class PooledHead(nn.Module):  # type: ignore[misc]
    """Global average, dropout, linear: with it the class activation map is exact.

    Starts at zero, so that the first gradients do not tear at the pretrained layers.
    """

    def __init__(self, channels: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, labels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (N, C, h, w) -> logits (N, L)."""
        logits: torch.Tensor = self.linear(self.dropout(maps.mean((2, 3))))
        return logits


class LastMap(nn.Module):  # type: ignore[misc]
    """The first of a backbone's maps."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Pixels -> c5."""
        maps: torch.Tensor = self.backbone(pixels)[0]
        return maps


def transfer_network(
    backbone: str, labels: int, *, dropout: float, freeze: bool, enlarge: float, pretrained: bool = True
) -> tuple[ClassifierNetwork, PreprocessSpec]:
    """A backbone with a new head, and how it wants its pixels.

    Args:
        backbone: as ``backbones.network_for`` takes it.
        labels: how many classes.
        dropout: before the head.
        freeze: keep the layers up to the one that makes the last, smallest map (only networks that are a row
            of stages).
        enlarge: of the input's side beyond what the backbone was pretrained with (the same networks).
        pretrained: False draws random weights (tests).

    Raises:
        Misconfigured: no such backbone, or torch is not installed.
    """
    network, spec = network_for(backbone, pretrained=pretrained)
    head = PooledHead(spec.channels[0], labels, dropout)
    if not isinstance(network, StagedNetwork):
        return ClassifierNetwork(nn.Identity(), LastMap(network), head), spec.preprocess
    preprocess = replace(spec.preprocess, size=SIDE_STEP * round(spec.preprocess.size * enlarge / SIDE_STEP))
    layers = _flat(network.stages)
    cut = _smallest_from(layers, preprocess.size) if freeze else 0
    trunk = nn.Sequential(*layers[:cut]) if cut else nn.Identity()
    return ClassifierNetwork(trunk, nn.Sequential(*layers[cut:]), head), preprocess


def _flat(stages: nn.Module) -> list[nn.Module]:
    """Layers in the order in which they run, rows of layers taken apart."""
    if isinstance(stages, nn.Sequential | nn.ModuleList):
        return [layer for part in stages for layer in _flat(part)]
    return [stages]


def _smallest_from(layers: list[nn.Module], size: int) -> int:
    """How many layers there are up to the first that makes the smallest map; one at least is left over."""
    sides, x = [], torch.zeros(1, 3, size, size)
    with torch.inference_mode():
        for layer in layers:
            x = layer.eval()(x)
            sides.append(int(x.shape[-1]))
    return min(sides.index(min(sides)) + 1, len(layers) - 1)


def small_cnn(labels: int) -> tuple[ClassifierNetwork, PreprocessSpec]:
    """Conv 32, pool, conv 64, pool, dense 64, softmax at 128x128, from scratch: what every run is compared with."""
    tail = nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
    )
    side = SMALL_CNN_SPEC.size // 4
    head = nn.Sequential(
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * side * side, 64), nn.ReLU(), nn.Linear(64, labels)
    )
    return ClassifierNetwork(nn.Identity(), tail, head), SMALL_CNN_SPEC


def parameter_groups(
    network: ClassifierNetwork, *, rate: float, head_rate: float, layer_decay: float, weight_decay: float
) -> list[dict[str, Any]]:
    """What an optimizer takes: the head at its own rate, each earlier layer slower than the one after it.

    Args:
        network: its trunk has no part in it.
        rate: of the last layer of the tail.
        head_rate: of the head.
        layer_decay: factor from a layer to the one before it; 1 for equal rates.
        weight_decay: of matrices and kernels; norms and biases have none.

    Source: Howard & Ruder, "Universal Language Model Fine-tuning", ACL 2018 (discriminative rates).
    """
    groups: list[dict[str, Any]] = []
    tail = network.tail.backbone if isinstance(network.tail, LastMap) else network.tail
    layers = [layer for layer in _flat(tail) if any(True for _ in layer.parameters())]
    for depth, layer in enumerate(reversed(layers)):
        groups += _split(list(layer.parameters()), rate * layer_decay**depth, weight_decay)
    return groups + _split(list(network.head.parameters()), head_rate, weight_decay)


def _split(parameters: list[Any], rate: float, weight_decay: float) -> list[dict[str, Any]]:
    learning = [one for one in parameters if one.requires_grad]
    parts = [
        ([one for one in learning if one.ndim > 1], weight_decay),
        ([one for one in learning if one.ndim <= 1], 0.0),
    ]
    return [{"params": part, "lr": rate, "weight_decay": decay} for part, decay in parts if part]
