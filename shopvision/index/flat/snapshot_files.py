"""What the flat index keeps on disk: immutable snapshots, a log of changes, and the manifest that names both.

Everything new is created and fsynced first; the manifest is swapped last, by an atomic rename. So whoever
reads the manifest finds all it names, and a writer killed anywhere leaves the last complete state.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import struct
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...exceptions import IndexUnavailable

FORMAT = 2  # 1 had no values to filter on
LOCK_SECONDS = 30.0  # a snapshot of ten million rows is written in less
RECORD = struct.Struct("<4sIIQ")  # magic, crc32 of the rest, length of the body, sequence
MAGIC = b"svi1"
COLUMNS: dict[str, str] = {
    "vectors": "<f2", "codes": "<u8", "ids": "<i8", "products": "<i8", "categories": "<i4",
    "prices": "<f4", "stock": "|b1", "sources": "<i4", "values": "<i4", "by_id": "<i8",
}  # fmt: skip


def step(name: str) -> None:
    """Called at every point where a crash must be harmless; tests die here."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What makes up the index now.

    Args:
        version: of the snapshot; grows by one.
        digest, dim: of the encoder release.
        sequence: the database's change number the snapshot holds.
        as_of: when it was reached, seconds since 1970; 0 for an empty index.
        rows: in the snapshot.
        checksums: crc32 of each file of the snapshot.
        mean: vector the codes are centred on.
        category_sets: category ids of each code of the column ``categories``.
        source_names: label of each code of the column ``sources``.
        value_sets: values of each code of the column ``values``.
    """

    version: int
    digest: str
    dim: int
    sequence: int
    as_of: float
    rows: int
    checksums: dict[str, int]
    mean: list[float]
    category_sets: list[list[str]]
    source_names: list[str]
    value_sets: list[list[str]]

    @property
    def folder(self) -> str:
        """Name of the snapshot's folder."""
        return f"snapshot-{self.version:08d}"

    @property
    def log(self) -> str:
        """Name of the log of changes since the snapshot."""
        return f"log-{self.version:08d}"


def read_manifest(location: Path) -> Manifest | None:
    """The manifest; None for an index never written to, or by an older version: it is filled anew.

    Raises:
        IndexUnavailable: it cannot be understood.
    """
    try:
        text = (location / "MANIFEST").read_text()
    except FileNotFoundError:
        return None
    try:
        fields = json.loads(text)
        checksum = fields.pop("checksum")
        written_as = fields.pop("format")
        if written_as not in range(1, FORMAT + 1) or checksum != _checksum(fields):
            raise ValueError("checksum or format is wrong")
        if written_as != FORMAT:
            return None
        return Manifest(**fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexUnavailable("index_manifest_corrupt", name=location.name, error=error) from error


def _checksum(fields: dict[str, Any]) -> int:
    return zlib.crc32(json.dumps(fields, sort_keys=True).encode())


def stamp(location: Path) -> tuple[int, int]:
    """Changes whenever the manifest does; (0, 0) while there is none."""
    try:
        found = (location / "MANIFEST").stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_ino, found.st_mtime_ns)


def write_snapshot(location: Path, manifest: Manifest, columns: dict[str, np.ndarray]) -> Manifest:
    """Publish a snapshot and its empty log; the manifest with its checksums.

    Args:
        columns: arrays by the names of ``COLUMNS``; ``codes`` is (4, N), all others have N rows.
    """
    folder = location / manifest.folder
    shutil.rmtree(folder, ignore_errors=True)  # what a writer left that was killed
    folder.mkdir(parents=True)
    checksums = {}
    for name, kind in COLUMNS.items():
        step(f"snapshot {name}")
        data = np.ascontiguousarray(columns[name], kind)
        checksums[name] = zlib.crc32(data.view(np.uint8).ravel().data) if data.size else 0
        with (folder / name).open("wb") as file:
            data.tofile(file)
            _sync(file.fileno())
    step("snapshot folder")
    _sync_folder(folder)
    with (location / manifest.log).open("wb") as file:
        _sync(file.fileno())
    step("snapshot log")
    _sync_folder(location)
    complete = Manifest(**{**asdict(manifest), "checksums": checksums})
    _swap(location, complete)
    return complete


def _swap(location: Path, manifest: Manifest) -> None:
    fields = asdict(manifest)
    text = json.dumps({**fields, "format": FORMAT, "checksum": _checksum(fields)})
    fresh = location / "MANIFEST.new"
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        _sync(file.fileno())
    step("manifest written")
    fresh.replace(location / "MANIFEST")
    step("manifest swapped")
    _sync_folder(location)


def remove_old(location: Path, manifest: Manifest) -> None:
    """Delete all but this version and the one before, which a reader may just be opening."""
    keep = {manifest.version, manifest.version - 1}
    for path in location.iterdir():
        kind, _, number = path.name.partition("-")
        if kind in ("snapshot", "log") and number.isdigit() and int(number) not in keep:
            step(f"remove {kind}")
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def open_snapshot(location: Path, manifest: Manifest) -> dict[str, np.ndarray]:
    """The snapshot's columns, memory-mapped read-only, sizes and checksums verified.

    Raises:
        IndexUnavailable: a file is missing, short or changed.
    """
    shapes = {"vectors": (manifest.rows, manifest.dim), "codes": (words(manifest.dim), manifest.rows)}
    columns = {}
    for name, kind in COLUMNS.items():
        path, shape = location / manifest.folder / name, shapes.get(name, (manifest.rows,))
        try:
            if manifest.rows == 0:
                columns[name] = np.empty(shape, kind)
                continue
            mapped = np.memmap(path, kind, "r", shape=shape)
            columns[name] = mapped.view(np.ndarray)  # memmap's own slicing takes 10 us a time
        except (OSError, ValueError) as error:
            raise IndexUnavailable("index_file_unreadable", name=name, error=error) from error
        if zlib.crc32(columns[name].view(np.uint8).ravel().data) != manifest.checksums.get(name):
            raise IndexUnavailable("index_file_corrupt", name=name)
    return columns


def words(dim: int) -> int:
    """64-bit words of a sign code."""
    return -(-dim // 64)


def append(path: Path, end: int, sequence: int, body: bytes) -> int:
    """Add one change to a log after its last whole record at ``end``, durably; the new end."""
    head = struct.pack("<IQ", len(body), sequence)
    record = RECORD.pack(MAGIC, zlib.crc32(head + body), len(body), sequence) + body
    with path.open("r+b") as file:
        file.truncate(end)  # a torn record of a writer that was killed
        file.seek(end)
        step("log before")
        half = len(record) // 2
        file.write(record[:half])
        file.flush()
        step("log half")
        file.write(record[half:])
        file.flush()
        step("log written")
        _sync(file.fileno())
    step("log synced")
    return end + len(record)


def read_log(path: Path, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Whole records from ``start``: (end, sequence, body); stops at a torn or damaged one."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return
    place = 0
    while place + RECORD.size <= len(data):
        magic, checksum, length, sequence = RECORD.unpack_from(data, place)
        body = data[place + RECORD.size : place + RECORD.size + length]
        head = struct.pack("<IQ", length, sequence)
        if magic != MAGIC or len(body) != length or zlib.crc32(head + body) != checksum:
            return
        place += RECORD.size + length
        yield start + place, sequence, body


@contextmanager
def writer_lock(location: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the one writer's lock; the operating system frees it when the process dies.

    Raises:
        IndexUnavailable: another writer held it all the time.
    """
    location.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + seconds
    with (location / "LOCK").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise IndexUnavailable("index_write_lock_timeout", seconds=f"{seconds:.0f}") from None
                time.sleep(0.01)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)


def size(location: Path) -> int:
    """Bytes on disk."""
    return sum(path.stat().st_size for path in location.rglob("*") if path.is_file())


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
