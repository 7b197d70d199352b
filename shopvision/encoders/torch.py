"""TorchEncoder: encode images with torch on CUDA or the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from PIL.Image import Image

from ..exceptions import EncoderUnavailable, Misconfigured
from ..images.preprocess import normalise, squares
from .backbones import network_for
from .base import FEATURE_MAPS, Descriptors, MapEncoder
from .descriptor import describe_maps

BATCH_CUDA = 128  # images per run: fills the device, and holds 1 GB of maps at most
BATCH_CPU = 16


class TorchEncoder(MapEncoder):
    """Runs a backbone in torch, for workers with a GPU; its record is that of the fp32 graph.

    On the CPU, and on CUDA with ``autocast=False``, descriptors agree with the ONNX graph's to a cosine of
    1 - 1e-4. Autocast (float16, CUDA only) rounds each value to 11 bits: near, but not that near.

    Args:
        name: as ``backbones.graph_for`` takes it.
        device: ``auto`` (CUDA if there is one), ``cpu``, ``cuda``, ``cuda:1``.
        autocast: None: on CUDA.
        pretrained: False draws random weights (tests).

    Raises:
        Misconfigured: no such backbone or device.
    """

    def __init__(
        self, name: str, device: str = "auto", *, autocast: bool | None = None, pretrained: bool = True
    ) -> None:
        self.device = _device(device)
        network, self.spec = network_for(name, pretrained=pretrained)
        self._network = network.to(self.device, memory_format=torch.channels_last).eval()
        cuda = self.device.type == "cuda"
        self._autocast = cuda if autocast is None else autocast and cuda
        self.batch = BATCH_CUDA if cuda else BATCH_CPU

    def maps(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """The three feature maps, float32 (N, C, h, w).

        Raises:
            EncoderUnavailable: the device has no memory left for the batch.
        """
        tensor = torch.from_numpy(pixels)
        try:
            if self.device.type == "cuda":
                tensor = tensor.pin_memory().to(self.device, non_blocking=True)
            tensor = tensor.contiguous(memory_format=torch.channels_last)
            with torch.inference_mode(), self._precision():
                outputs = self._network(tensor)
            return {
                name: np.ascontiguousarray(one.float().cpu().numpy())
                for name, one in zip(FEATURE_MAPS, outputs, strict=True)
            }
        except torch.cuda.OutOfMemoryError as error:
            raise EncoderUnavailable("device_out_of_memory", device=self.device, count=len(pixels)) from error

    def _precision(self) -> AbstractContextManager[object]:
        if self._autocast:
            context: AbstractContextManager[object] = torch.autocast("cuda", torch.float16)
            return context
        return nullcontext()

    def describe(self, images: Sequence[Image]) -> Descriptors:
        """Blocks by name, float32 (N, d), computed ``batch`` images at a time."""
        spec = self.spec.preprocess
        parts = []
        for start in range(0, max(len(images), 1), self.batch):
            batch = squares(images[start : start + self.batch], spec)
            parts.append(describe_maps(self.maps(normalise(batch, spec)), batch))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise Misconfigured("device_unknown_to_torch", name=name, error=error) from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise Misconfigured("cuda_device_missing", name=name, cuda=torch.cuda.device_count())
    return device
