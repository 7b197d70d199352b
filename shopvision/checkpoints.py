"""Safetensors checkpoints with a JSON record, format version and digest."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from .exceptions import ShopvisionError

FORMAT = 1
"""1: one metadata key ``checkpoint``: JSON with ``format``, ``kind``, ``digest`` and ``record``."""
METADATA = "checkpoint"


class CorruptCheckpoint(ShopvisionError):
    """The bytes are damaged or no checkpoint at all; take an older copy or train again."""


class IncompatibleCheckpoint(ShopvisionError):
    """A sound checkpoint of another kind, format or run; this version or this run cannot use it."""


class Checkpoint(NamedTuple):
    """What a checkpoint holds.

    Args:
        tensors: arrays by name.
        record: plain values, as JSON has them.
        digest: sha256 over both.
    """

    tensors: dict[str, np.ndarray]
    record: dict[str, Any]
    digest: str


def pack(kind: str, tensors: Mapping[str, np.ndarray], record: Mapping[str, Any]) -> bytes:
    """A checkpoint as bytes; the same content always gives the same bytes.

    Args:
        kind: what it is of, such as ``training``; checked when it is read.
        tensors: arrays by name; bool, integers or floats of any shape.
        record: plain values for JSON.
    """
    ordered = {name: np.asarray(tensors[name], order="C") for name in sorted(tensors)}
    about = {
        "format": FORMAT,
        "kind": kind,
        "digest": _digest(kind, ordered, record),
        "record": dict(record),
    }
    return bytes(save(ordered, {METADATA: json.dumps(about, sort_keys=True)}))


def unpack(data: bytes, kind: str) -> Checkpoint:
    """Read what ``pack`` gave; every byte is checked.

    Raises:
        CorruptCheckpoint: truncated, altered, or not a checkpoint.
        IncompatibleCheckpoint: of another format version or kind.
    """
    about = _about(data)
    if about["format"] != FORMAT:
        raise IncompatibleCheckpoint(
            f"checkpoint of format {about['format']}; this version reads format {FORMAT}"
        )
    if about["kind"] != kind:
        raise IncompatibleCheckpoint(f"a checkpoint of {about['kind']!r} was given where {kind!r} is read")
    try:
        tensors = load(data)
        found = _digest(kind, tensors, about["record"])
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise CorruptCheckpoint(f"the checkpoint's tensors cannot be read: {error}") from error
    if found != about["digest"]:
        raise CorruptCheckpoint(
            f"the checkpoint's content has sha256 {found[:12]}..., its record says {str(about['digest'])[:12]}..."
        )
    return Checkpoint(tensors, about["record"], found)


def write(path: Path, data: bytes) -> None:
    """Put bytes into a file so that a reader, or a restart after a power cut, sees all of them or the old file.

    Written beside it, flushed to the disk, renamed over it, and the folder flushed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _about(data: bytes) -> dict[str, Any]:
    """The record in a safetensors file's head."""
    length = int.from_bytes(data[:8], "little")
    try:
        about = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][METADATA])
        missing = {"format", "kind", "digest", "record"} - about.keys()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptCheckpoint("these bytes hold no checkpoint") from error
    if missing:
        raise CorruptCheckpoint(f"the checkpoint's record lacks {sorted(missing)}")
    return dict(about)


def _digest(kind: str, tensors: Mapping[str, np.ndarray], record: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps([kind, record], sort_keys=True).encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name}:{value.dtype.str}:{value.shape};".encode())
        digest.update(np.asarray(value, order="C").tobytes())
    return digest.hexdigest()
