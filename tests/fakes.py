"""A deterministic encoder that costs next to nothing, and storages that fail on purpose."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from django.core.files.storage import InMemoryStorage
from PIL.Image import Image

from shopvision.encoders.base import FEATURE_MAPS, Descriptors, EncoderSpec, MapEncoder
from shopvision.encoders.descriptor import describe_maps, map_specs
from shopvision.exceptions import EncoderUnavailable
from shopvision.images.preprocess import PreprocessSpec, normalise, squares
from shopvision.index.base import IndexHealth, IndexRow, Neighbours, VectorIndex

SIDE = 112  # pixels: a quarter of the real encoder's, and the least the colour blocks take
CHANNELS = (64, 32, 16)


def fake_spec(name: str = "fake") -> EncoderSpec:
    """The record of a fake encoder; two names are two encoders with different weights."""
    return EncoderSpec(
        name=name,
        weights_digest=hashlib.sha256(name.encode()).hexdigest(),
        precision="fp32",
        blocks=map_specs(CHANNELS),
        channels=CHANNELS,
        preprocess=PreprocessSpec(size=SIDE, fit="crop"),
        licence="none",
        origin="tests/fakes.py",
    )


class FakeEncoder(MapEncoder):
    """Feature maps that are a fixed random mix of the photo's own pixels: like photos get like vectors.

    Args:
        name: seeds the weights and names the encoder.
        delay_s: time to waste per image, to be killed in.
    """

    def __init__(self, name: str = "fake", *, delay_s: float = 0.0) -> None:
        self.spec = fake_spec(name)
        self.delay_s = delay_s
        self.images_seen = 0
        self.batches: list[int] = []
        self.down = False
        self.chokes_on_width = 0
        self.dies_of_width = 0
        self._lock = threading.Lock()
        rng = np.random.default_rng(int(self.spec.weights_digest[:8], 16))
        self._mix = {
            key: rng.standard_normal((3 * 4, count), dtype=np.float32)
            for key, count in zip(FEATURE_MAPS, CHANNELS, strict=True)
        }

    def maps(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        """Average each cell's four quarters, mix them, clip at zero: 7x7, 14x14 and 28x28 cells."""
        cells = {"c5": 7, "t10": 14, "t4": 28}
        return {key: self._map(pixels, cells[key], self._mix[key]) for key in FEATURE_MAPS}

    @staticmethod
    def _map(pixels: np.ndarray, cells: int, mix: np.ndarray) -> np.ndarray:
        number, _, side, _ = pixels.shape
        half = side // (2 * cells)
        means = pixels.reshape(number, 3, cells, 2, half, cells, 2, half).mean(axis=(4, 7))
        quarters = means.transpose(0, 2, 4, 1, 3, 5).reshape(number, cells, cells, 12)
        mixed = np.maximum(quarters @ mix, 0.0) + 0.01
        return np.ascontiguousarray(mixed.transpose(0, 3, 1, 2), dtype=np.float32)

    def describe(self, images: Sequence[Image]) -> Descriptors:
        """Blocks by the real code, from the fake maps."""
        if self.down:
            raise EncoderUnavailable("the fake encoder is down")
        if any(image.width == self.chokes_on_width for image in images):
            raise ValueError("the runtime does not like one of these photos")
        if any(image.width == self.dies_of_width for image in images):
            os.kill(os.getpid(), signal.SIGKILL)
        with self._lock:
            self.images_seen += len(images)
            self.batches.append(len(images))
        if self.delay_s:
            time.sleep(self.delay_s * len(images))
        pixels = squares(images, self.spec.preprocess)
        return describe_maps(self.maps(normalise(pixels, self.spec.preprocess)), pixels)


class FlakyStorage(InMemoryStorage):
    """A storage without paths, as S3 is; a file whose name holds one of ``broken`` cannot be read."""

    broken: ClassVar[set[str]] = set()

    def _open(self, name: str, mode: str = "rb") -> Any:
        if any(part in name for part in self.broken):
            raise OSError(f"{name}: the storage does not answer")
        return super()._open(name, mode)  # type: ignore[misc]


class MemoryIndex(VectorIndex):
    """The smallest index that keeps the contract of writing; it cannot search."""

    def __init__(self, location: Path, *, digest: str, dim: int) -> None:
        super().__init__(location, digest=digest, dim=dim)
        self.rows: dict[int, IndexRow] = {}
        self.last = 0
        self.rebuilt = 0

    def apply(self, upserts: Any, deletes: Any, *, sequence: int, digest: str) -> None:
        if sequence > self.last:
            self.rows |= {row.id: row for row in upserts}
            for key in deletes:
                self.rows.pop(key, None)
            self.last = sequence

    def rebuild(self, rows: Any, *, sequence: int, digest: str) -> None:
        self.rows = {row.id: row for row in rows}
        self.last, self.rebuilt = sequence, self.rebuilt + 1

    def query(self, vector: Any, k: int, *, where: Any = None, digest: str) -> Neighbours:
        raise NotImplementedError

    def vectors(self, ids: Any) -> dict[int, np.ndarray]:
        return {key: self.rows[key].vector for key in ids if key in self.rows}

    def count(self) -> int:
        return len(self.rows)

    def sequence(self) -> int:
        return self.last

    def as_of(self) -> datetime | None:
        return None

    def snapshot(self) -> None:
        """Nothing to fold."""

    def health(self) -> IndexHealth:
        return IndexHealth(True, "", self.count(), self.last, None, 0)

    def close(self) -> None:
        """Nothing to release."""


def slow_encoder() -> FakeEncoder:
    """An encoder slow enough to be killed while it works (10 ms a photo); photos 77 pixels wide kill it."""
    encoder = FakeEncoder(delay_s=0.01)
    encoder.dies_of_width = 77
    return encoder


def other_encoder() -> FakeEncoder:
    """An encoder with other weights than the first."""
    return FakeEncoder("other")
