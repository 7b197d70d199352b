"""Training batches, with cached outputs of the frozen part of a network."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from ..encoders.onnx_export import Trunk
from ..images.preprocess import PreprocessSpec
from .augmentation import FIRST_AUGMENTED, View, Views, normalised

MAX_KEPT_BYTES = 4 * 2**30  # of frozen outputs on the disk: 10 views of 10,000 photos at 40 KB each
CHUNK = 8  # photos through the frozen part at once: more are no faster on the CPU and hold 30 MB each
LEAST_VIEWS = 4  # fewer different views than this, and the network learns them by heart: keep nothing then


@dataclass(frozen=True, slots=True)
class Source:
    """Where views come from.

    Args:
        views: squares by (row, view).
        preprocess: of the network.
        device: the network is there.
        workers: processes that decode and augment ahead; 0 does it in this one.
    """

    views: Views
    preprocess: PreprocessSpec
    device: torch.device
    workers: int = 0

    def pixels(self, batches: Sequence[Sequence[View]]) -> Iterator[torch.Tensor]:
        """Normalised squares float32 (N, 3, S, S) on the device, one tensor a batch, in the order given."""
        cuda = self.device.type == "cuda"
        loader = DataLoader(
            self.views,
            batch_sampler=batches,
            num_workers=min(self.workers, len(batches)),
            pin_memory=cuda,
            prefetch_factor=2 if self.workers and len(batches) else None,
        )
        for batch in loader:
            yield normalised(batch.to(self.device, non_blocking=cuda), self.preprocess)


class Batches:
    """Outputs of a frozen trunk for lists of views.

    Args:
        source: the views.
        trunk: pixels -> what the tail takes; on the source's device.
        kept: file that remembers the outputs; None remembers nothing. A file left by an earlier process is
            used: every output has a checksum, so one that a crash tore is computed again.
        rows: how many photos there are.
        views: how many different augmented views of each.

    The values are rounded to float16 whether they are remembered or not, so that a restart changes nothing.
    """

    def __init__(self, source: Source, trunk: Trunk, kept: Path | None, rows: int, views: int) -> None:
        self._source, self._trunk = source, trunk
        self.views = views
        self._values: np.memmap | None = None
        if kept is None or isinstance(trunk, nn.Identity):
            return
        shape = self._shape()
        count = int(min(views, MAX_KEPT_BYTES // (2 * rows * int(np.prod(shape))) - FIRST_AUGMENTED))
        if count < LEAST_VIEWS:
            return
        self.views = count
        kept.parent.mkdir(parents=True, exist_ok=True)
        self._values = _memory(kept, np.float16, (rows, FIRST_AUGMENTED + count, *shape))
        self._sums = _memory(kept.with_suffix(".sums"), np.uint32, (rows, FIRST_AUGMENTED + count))
        self._checked = np.zeros(self._sums.shape, bool)

    def __call__(self, batches: Sequence[Sequence[View]]) -> Iterator[torch.Tensor]:
        """One tensor a batch, rows in its order, on the device."""
        if self._values is None:
            for pixels in self._source.pixels(batches):
                yield self._through(pixels)
            return
        for batch in batches:
            yield self._remembered(batch, self._values)

    def _remembered(self, batch: Sequence[View], values: np.memmap) -> torch.Tensor:
        missing = [view for view in batch if not self._is_sound(view, values)]
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            outputs = self._through(next(self._source.pixels([chunk]))).half().cpu().contiguous().numpy()
            for view, output in zip(chunk, outputs, strict=True):
                values[view] = output
                self._sums[view] = _checksum(values[view])
                self._checked[view] = True
        found = torch.from_numpy(np.stack([values[view] for view in batch])).float()
        return found.to(self._source.device).contiguous(memory_format=torch.channels_last)

    def _is_sound(self, view: View, values: np.memmap) -> bool:
        """It is in the file, and whole; asked once for each."""
        if not self._checked[view] and self._sums[view]:
            self._checked[view] = _checksum(values[view]) == self._sums[view]
        return bool(self._checked[view])

    def _through(self, pixels: torch.Tensor) -> torch.Tensor:
        if isinstance(self._trunk, nn.Identity):
            return pixels
        with torch.inference_mode():
            outputs = self._trunk(pixels).half().float()
        return outputs.clone()  # a tensor that autograd may use

    def _shape(self) -> tuple[int, ...]:
        size = self._source.preprocess.size
        blank = torch.zeros(1, 3, size, size, device=self._source.device)
        return tuple(self._through(blank).shape[1:])


def _memory(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    """A file as an array: as it was where it has the right size, else new and all zero."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if not path.exists() or path.stat().st_size != size:
        with path.open("wb") as file:
            file.truncate(size)
    return np.memmap(path, dtype, "r+", shape=shape)


def _checksum(values: np.ndarray) -> int:
    """CRC-32, never 0: that says "not there"."""
    return zlib.crc32(np.ascontiguousarray(values).tobytes()) or 1
