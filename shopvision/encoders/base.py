"""The encoder contract: an encoder describes images as blocks that it names itself in its ``EncoderSpec``."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from ..exceptions import Misconfigured
from ..images.preprocess import PreprocessSpec

FEATURE_MAPS = ("c5", "t10", "t4")
"""What a backbone yields: the last map (7x7 at 224 px) and the outputs of the blocks at 14x14 and 28x28."""


PALETTE = "palette"
"""An output beside the blocks, from which colours are named; neither stored nor compared."""


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """One block of a descriptor.

    Args:
        name: its key in what ``describe`` returns.
        dim: its width.
        family: what it shows: ``shape``, ``texture``, ``colour`` or a name of the encoder's own, such as
            ``semantic``. Blocks of a family share its weight in the embedding and one reason. "" for a block that
            is stored but no part of the embedding.
        compared_by: ``cosine``, or ``correlation`` (cosine of rows less their own mean).
    """

    name: str
    dim: int
    family: str
    compared_by: str = "cosine"


def families(blocks: Sequence[BlockSpec]) -> dict[str, tuple[str, ...]]:
    """Names of the blocks of each family, in the order of the specs; blocks of no family are left out."""
    found: dict[str, tuple[str, ...]] = {}
    for block in blocks:
        if block.family:
            found[block.family] = (*found.get(block.family, ()), block.name)
    return found


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """One record that ties weights to their blocks, preprocessing, licence and origin.

    Args:
        name: as in ``SHOPVISION["ENCODER"]``.
        weights_digest: sha256 of the weights file or of the state dict's bytes.
        precision: ``fp32`` or ``int8``.
        blocks: what ``describe`` returns, in this order; at least one has a family.
        channels: of a ``MapEncoder``, channels of each feature map, in the order of ``FEATURE_MAPS``.
        preprocess: how it wants its pixels.
        licence: of the weights, with how sure we are.
        origin: where the weights come from.
        calibration_digest: sha256 of the int8 calibration (scales and zero points); empty for fp32.
    """

    name: str
    weights_digest: str
    precision: str
    blocks: tuple[BlockSpec, ...]
    channels: tuple[int, ...] = ()
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
            "blocks": [asdict(block) for block in self.blocks],
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
            fields["blocks"] = tuple(BlockSpec(**block) for block in fields["blocks"])
            return cls(**{**fields, "channels": tuple(fields["channels"])}, preprocess=preprocess)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not an encoder's record: {error}") from error


DESCRIPTOR_VERSION = 3  # raise when descriptor.py computes other numbers from the same maps

Descriptors = Mapping[str, np.ndarray]
"""Named blocks, each float32 (N, d_block), rows in the order of the images."""


class Encoder(ABC):
    """Turns upright RGB images into descriptors. One of the four pluggable parts.

    Thread-safe: several requests may call one encoder at once. Deterministic on one machine: the same image
    gives the same descriptor, alone or in a batch (to 1e-4 for fp32). ``tests/contracts/encoder.py`` has the
    suite that every encoder passes.

    Attributes:
        spec: its record, with the blocks it gives.
        supports_text: ``describe_text`` gives blocks that photos can be compared with.
    """

    spec: EncoderSpec
    supports_text: bool = False

    @abstractmethod
    def describe(self, images: Sequence[Image.Image]) -> Descriptors:
        """Describe images, one row each, in the order given.

        Args:
            images: upright RGB, any size, as ``images.decode.decode`` returns them.

        Returns:
            the blocks of ``spec.blocks`` by name, float32 (N, dim), finite; no images gives (0, dim) each. It
            may give ``PALETTE`` beside them.

        Raises:
            EncoderUnavailable: nobody answered in time; safe to retry.
        """

    def describe_text(self, texts: Sequence[str]) -> Descriptors:
        """Describe texts by those of ``spec.blocks`` that photos and texts share, one row each.

        Only of encoders with ``supports_text``.

        Raises:
            Misconfigured: this encoder reads no text.
        """
        raise Misconfigured("encoder_reads_no_text", name=self.spec.name)

    def check(self) -> list[str]:
        """What a developer should know before the shop goes live, in English; nothing by default."""
        return []

    def health(self) -> bool:
        """Can it describe photos now; an encoder that asks a server says so here."""
        return True

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


MOST_DIM = 2**16 - 1  # a stored block's width is two bytes


def check_described(spec: EncoderSpec, described: Any, rows: int) -> None:
    """Compare what ``describe`` gave with the encoder's record.

    Args:
        described: of ``rows`` images.

    Raises:
        Misconfigured: a block is missing, unknown, out of order, of another shape or type, or not finite.
    """
    wanted = [f"{block.name} float32 ({rows}, {block.dim})" for block in spec.blocks]
    found = [type(described).__name__]
    if isinstance(described, Mapping):
        given = {name: np.asarray(block) for name, block in described.items() if name != PALETTE}
        found = [
            f"{name} {block.dtype} {block.shape}" + ("" if _is_finite(block) else " not finite")
            for name, block in given.items()
        ]
    if wanted != found:
        raise Misconfigured("encoder_blocks_differ", name=spec.name, wanted=wanted, found=found or "-")


def _is_finite(block: np.ndarray) -> bool:
    return block.dtype.kind == "f" and bool(np.isfinite(block).all())


def check_blocks(encoder: Encoder) -> Encoder:
    """The encoder, once it has shown on a blank image that it gives the blocks of its record.

    Raises:
        Misconfigured: it has no record, a name cannot be stored, no block has a family, or it gives other blocks.
    """
    spec = getattr(encoder, "spec", None)
    if not isinstance(spec, EncoderSpec):
        raise Misconfigured("encoder_without_record", name=type(encoder).__name__)
    names = [block.name for block in spec.blocks]
    bad = [name for name in names if not name or "," in name or name == PALETTE or names.count(name) > 1]
    bad += [block.name for block in spec.blocks if not 0 < block.dim <= MOST_DIM]
    if bad or not families(spec.blocks):
        raise Misconfigured("encoder_record_unusable", name=spec.name, blocks=bad or "-", most=MOST_DIM)
    check_described(spec, encoder.describe([Image.new("RGB", (8, 8), "white")]), 1)
    return encoder
