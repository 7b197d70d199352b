"""Encoder contract; EncoderSpec(name, digest, dim, preprocess, licence, origin)."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from PIL.Image import Image

from ..images.preprocess import PreprocessSpec

FEATURE_MAPS = ("c5", "t10", "t4")
"""What a backbone yields: the last map (7x7 at 224 px) and the outputs of the blocks at 14x14 and 28x28."""


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """One record that ties weights to their preprocessing, licence and origin.

    Args:
        name: as in ``SHOPVISION["ENCODER"]``.
        weights_digest: sha256 of the weights file or of the state dict's bytes.
        precision: ``fp32`` or ``int8``.
        channels: channels of each feature map, in the order of ``FEATURE_MAPS``.
        preprocess: how it wants its pixels.
        licence: of the weights, with how sure we are.
        origin: where the weights come from.
        calibration_digest: sha256 of the int8 calibration (scales and zero points); empty for fp32.
    """

    name: str
    weights_digest: str
    precision: str
    channels: tuple[int, ...]
    preprocess: PreprocessSpec = field(default_factory=PreprocessSpec)
    licence: str = ""
    origin: str = ""
    calibration_digest: str = ""

    @property
    def digest(self) -> str:
        """sha256 over all that changes a descriptor; stored with each, and checked by every index."""
        parts: dict[str, Any] = {
            "name": self.name,
            "weights": self.weights_digest,
            "precision": self.precision,
            "channels": self.channels,
            "preprocess": self.preprocess.as_dict(),
            "calibration": self.calibration_digest,
            "descriptor": DESCRIPTOR_VERSION,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The whole record as JSON, as it travels in a graph's metadata."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> EncoderSpec:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is no such record.
        """
        try:
            fields = json.loads(text)
            pre = fields.pop("preprocess")
            preprocess = PreprocessSpec(pre["size"], tuple(pre["mean"]), tuple(pre["std"]), pre["fit"])
            return cls(**{**fields, "channels": tuple(fields["channels"])}, preprocess=preprocess)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an encoder's record: {error}") from error


DESCRIPTOR_VERSION = 2  # raise when descriptor.py computes other numbers from the same maps

Descriptors = Mapping[str, np.ndarray]
"""Named blocks, each float32 (N, d_block), rows in the order of the images."""


class Encoder(ABC):
    """Turns upright RGB images into descriptors. One of the four pluggable parts.

    Thread-safe: several requests may call one encoder at once. Deterministic on one machine: the same image
    gives the same descriptor, alone or in a batch (to 1e-4 for fp32).
    """

    spec: EncoderSpec

    @abstractmethod
    def describe(self, images: Sequence[Image]) -> Descriptors:
        """Describe images, one row each, in the order given.

        Args:
            images: upright RGB, any size, as ``images.decode.decode`` returns them.

        Returns:
            blocks by name, float32 (N, d); no images gives (0, d) for every block.

        Raises:
            EncoderUnavailable: nobody answered in time; safe to retry.
        """

    def close(self) -> None:  # noqa: B027 - most encoders hold nothing that needs closing
        """Release what is held; the encoder is not used afterwards."""


class MapEncoder(Encoder):
    """An encoder whose network yields the three feature maps; the blocks are computed from them."""

    @abstractmethod
    def maps(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Run the network.

        Args:
            pixels: float32 (N, 3, S, S) as ``normalise`` gives them.

        Returns:
            ``FEATURE_MAPS`` by name, float32 (N, C, h, w).
        """
