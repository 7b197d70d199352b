"""Bytes of a checkpoint: read back whole, or refused with the right reason."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from shopvision.checkpoints import METADATA, CorruptCheckpoint, IncompatibleCheckpoint, pack, unpack, write

TENSORS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array(7.0),
    "empty": np.empty((0, 4), np.float16),
    "mask": np.array([True, False]),
}
RECORD = {"epoch": 3, "history": [{"loss": 0.5}], "name": "größe"}


def test_what_is_packed_is_read_back() -> None:
    found = unpack(pack("training", TENSORS, RECORD), "training")
    assert found.record == RECORD
    assert found.tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert (found.tensors[name].dtype, found.tensors[name].shape) == (value.dtype, value.shape)
        np.testing.assert_array_equal(found.tensors[name], value)


def test_the_same_content_gives_the_same_bytes_in_any_order() -> None:
    backwards = dict(reversed(TENSORS.items()))
    assert pack("training", TENSORS, RECORD) == pack("training", backwards, RECORD)
    assert unpack(pack("training", TENSORS, RECORD), "training").digest != (
        unpack(pack("training", TENSORS, {**RECORD, "epoch": 4}), "training").digest
    )


@pytest.mark.parametrize("place", [0.02, 0.3, 0.99])
def test_an_altered_byte_is_found(place: float) -> None:
    data = bytearray(pack("training", TENSORS, RECORD))
    data[int(place * len(data))] ^= 0xFF
    with pytest.raises(CorruptCheckpoint):
        unpack(bytes(data), "training")


@pytest.mark.parametrize("keep", [0, 5, 40, 300, -1])
def test_a_file_cut_short_is_corrupt(keep: int) -> None:
    with pytest.raises(CorruptCheckpoint):
        unpack(pack("training", TENSORS, RECORD)[:keep], "training")


def test_another_kind_of_checkpoint_is_incompatible_not_corrupt() -> None:
    with pytest.raises(IncompatibleCheckpoint, match="'ranker' was given where 'training' is read"):
        unpack(pack("ranker", TENSORS, RECORD), "training")


def test_a_newer_format_is_incompatible_not_corrupt() -> None:
    data = pack("training", TENSORS, RECORD)
    length = int.from_bytes(data[:8], "little")
    about = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][METADATA])
    newer = save(load(data), {METADATA: json.dumps({**about, "format": 2})})
    with pytest.raises(IncompatibleCheckpoint, match="format 2; this version reads format 1"):
        unpack(newer, "training")


def test_tensors_without_our_record_are_no_checkpoint() -> None:
    with pytest.raises(CorruptCheckpoint, match="no checkpoint"):
        unpack(save({"a": np.zeros(2)}), "training")


def test_writing_replaces_the_file_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "one.safetensors"
    for content in (b"old and longer", b"new"):
        write(path, content)
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["one.safetensors"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "one.safetensors"
    write(path, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shopvision.checkpoints.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1
