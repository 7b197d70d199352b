"""The embedded default index: exact for small, binary codes + exact rescoring for large; memory-mapped."""

from __future__ import annotations

import json
import struct
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from ... import timestamps
from ...exceptions import IndexUnavailable, WrongEncoder
from ...types import EVERYTHING, Filter
from ..base import IndexHealth, IndexRow, Neighbours, VectorIndex
from . import scan, snapshot_files
from .rows import Table, join, table_of

EXACT_ROWS = 20_000  # so few passing rows are compared exactly
DEEP = 6  # times k rows rescored for deep answers: recall@260 is 1.00 on 100,000 rows around 50 centres
KEPT = (500, 1500)  # rows rescored exactly after the Hamming scan: up to 200,000 rows, and above
SMALL_LOG_ROWS = 2_000  # changes kept in the log before they are folded into a snapshot
LOG_SHARE = 0.05  # or this share of the snapshot's rows, if that is more
NORM_TOLERANCE = 1e-2


@dataclass(frozen=True)
class _View:
    """One state of the index; never changed once made, so threads share it."""

    stamp: tuple[int, int]
    manifest: snapshot_files.Manifest | None
    base: Table
    alive: np.ndarray | None  # bool over base's rows; None while none was replaced or deleted
    fresh: Table  # rows of the log, float32
    end: int  # of the log as read
    sequence: int
    as_of: float

    @cached_property
    def count(self) -> int:
        gone = 0 if self.alive is None else len(self.base) - int(self.alive.sum())
        return len(self.base) - gone + len(self.fresh)


class FlatIndex(VectorIndex):
    """Rows in memory-mapped files; one writer at a time under a lock, any number of readers.

    Readers look at the manifest's and the log's time stamps at every query (microseconds), so they see a
    change as soon as it is written. ``apply`` returns when the change is on disk.
    """

    def __init__(self, location: Path, *, digest: str, dim: int) -> None:
        super().__init__(Path(location), digest=digest, dim=dim)
        self._mutex = threading.RLock()
        self._view = self._load()

    def apply(
        self, upserts: Sequence[IndexRow], deletes: Sequence[int], *, sequence: int, digest: str
    ) -> None:
        """See ``VectorIndex.apply``."""
        self._check(digest, upserts)
        with self._mutex, snapshot_files.writer_lock(self.location):
            view = self._current()
            if sequence <= view.sequence:
                return
            if view.manifest is None:
                view = self._publish(table_of([], self.dim), 0, 0.0)
            body = _encode_change(upserts, deletes, time.time())
            snapshot_files.append(self.location / _manifest(view).log, view.end, sequence, body)
            view = self._current()
            if len(view.fresh) + _gone(view) > max(SMALL_LOG_ROWS, LOG_SHARE * len(view.base)):
                self._fold(view)

    def query(self, vector: np.ndarray, k: int, *, where: Filter = EVERYTHING, digest: str) -> Neighbours:
        """See ``VectorIndex.query``."""
        self._check_query(vector, digest)
        view, query = self._current(), np.ascontiguousarray(vector, np.float32)
        late = np.flatnonzero(view.fresh.passing(where)) if len(view.fresh) else np.empty(0, np.int64)
        late_similarities = scan.exact(view.fresh.vectors, late, query)
        rows, similarities = _search(view, query, k, where)
        ids = np.concatenate([view.base.ids[rows], view.fresh.ids[late]])
        products = np.concatenate([view.base.products[rows], view.fresh.products[late]])
        similarities = np.concatenate([similarities, late_similarities])
        best = scan.fold(products, similarities, k)
        return Neighbours(ids[best], products[best], similarities[best].astype(np.float32))

    def vectors(self, ids: Sequence[int]) -> dict[int, np.ndarray]:
        """See ``VectorIndex.vectors``."""
        view, found = self._current(), {}
        for table, alive in ((view.base, view.alive), (view.fresh, None)):
            wanted = np.asarray(ids, np.int64)
            for place, row in zip(*table.find(wanted), strict=True):
                if alive is None or alive[row]:
                    found[int(wanted[place])] = np.asarray(table.vectors[row], np.float32)
        return found

    def count(self) -> int:
        """See ``VectorIndex.count``."""
        return self._current().count

    def sequence(self) -> int:
        """See ``VectorIndex.sequence``."""
        return self._current().sequence

    def as_of(self) -> datetime | None:
        """See ``VectorIndex.as_of``."""
        moment = self._current().as_of
        return timestamps.from_seconds(moment) if moment else None

    def snapshot(self) -> None:
        """See ``VectorIndex.snapshot``."""
        with self._mutex, snapshot_files.writer_lock(self.location):
            self._fold(self._current())

    def rebuild(self, rows: Iterable[IndexRow], *, sequence: int, digest: str) -> None:
        """See ``VectorIndex.rebuild``."""
        self.load(table_of(rows, self.dim), sequence=sequence, digest=digest)

    def load(self, table: Table, *, sequence: int, digest: str) -> None:
        """Replace everything with a table, atomically: ``rebuild`` for those who have arrays."""
        self._check(digest, [])
        with self._mutex, snapshot_files.writer_lock(self.location):
            self._publish(table, sequence, time.time())

    def health(self) -> IndexHealth:
        """See ``VectorIndex.health``."""
        try:
            view = self._current()
            return IndexHealth(
                True, "", view.count, view.sequence, self.as_of(), snapshot_files.size(self.location)
            )
        except (IndexUnavailable, WrongEncoder, OSError) as error:
            return IndexHealth(False, str(error), 0, 0, None, 0)

    def close(self) -> None:
        """Forget the mapped files; the next call opens them again."""
        with self._mutex:
            self._view = _empty(self.dim)

    def _current(self) -> _View:
        """The newest state: two time stamps are compared, and only news is read."""
        view = self._view
        if snapshot_files.stamp(self.location) != view.stamp:
            return self._refresh()
        if view.manifest is not None and _length(self.location / view.manifest.log) > view.end:
            return self._refresh()
        return view

    def _refresh(self) -> _View:
        with self._mutex:
            view = self._view
            if snapshot_files.stamp(self.location) != view.stamp:
                view = self._load()
            self._view = self._replay(view)
            return self._view

    def _load(self) -> _View:
        """Open what the manifest names; again if a writer swapped it meanwhile."""
        for attempt in range(3):
            stamp = snapshot_files.stamp(self.location)
            try:
                return self._replay(self._open(stamp))
            except IndexUnavailable:
                if attempt == 2 or snapshot_files.stamp(self.location) == stamp:
                    raise
        raise IndexUnavailable("index_changes_too_fast")

    def _open(self, stamp: tuple[int, int]) -> _View:
        manifest = snapshot_files.read_manifest(self.location)
        if manifest is None:
            return _empty(self.dim)
        if (manifest.digest, manifest.dim) != (self.digest, self.dim):
            raise WrongEncoder(
                "index_of_other_encoder",
                name=self.location.name,
                dim=manifest.dim,
                value=manifest.digest[:12],
                dim2=self.dim,
                value2=self.digest[:12],
            )
        base = Table.from_columns(manifest, snapshot_files.open_snapshot(self.location, manifest))
        return _View(
            stamp, manifest, base, None, table_of([], self.dim), 0, manifest.sequence, manifest.as_of
        )

    def _replay(self, view: _View) -> _View:
        """Apply the log's new records."""
        if view.manifest is None:
            return view
        records = list(snapshot_files.read_log(self.location / view.manifest.log, view.end))
        if not records:
            return view
        latest: dict[int, IndexRow | None] = {}
        for _, _, body in records:
            upserts, deletes, as_of = _decode_change(body, self.dim)
            latest.update(dict.fromkeys(deletes))
            latest.update({row.id: row for row in upserts})
        touched = np.fromiter(latest, np.int64, len(latest))
        alive = np.ones(len(view.base), bool) if view.alive is None else view.alive.copy()
        alive[view.base.find(touched)[1]] = False
        kept = view.fresh.take(np.flatnonzero(~np.isin(view.fresh.ids, touched)))
        fresh = join([kept, table_of([row for row in latest.values() if row], self.dim)])
        end, sequence, _ = records[-1]
        return _View(view.stamp, view.manifest, view.base, alive, fresh, end, sequence, as_of)

    def _fold(self, view: _View) -> None:
        if view.manifest is not None and view.end:
            rows = np.arange(len(view.base)) if view.alive is None else np.flatnonzero(view.alive)
            self._publish(join([view.base.take(rows), view.fresh]), view.sequence, view.as_of)

    def _publish(self, table: Table, sequence: int, as_of: float) -> _View:
        known = snapshot_files.read_manifest(self.location)
        version = known.version + 1 if known else 1
        manifest, columns = table.to_columns(self.digest, version, sequence, as_of)
        snapshot_files.remove_old(
            self.location, snapshot_files.write_snapshot(self.location, manifest, columns)
        )
        self._view = self._load()
        return self._view

    def _check(self, digest: str, rows: Sequence[IndexRow]) -> None:
        if digest != self.digest:
            raise WrongEncoder("vectors_of_other_encoder", value=digest[:12], value2=self.digest[:12])
        for row in rows:
            if row.vector.shape != (self.dim,):
                raise WrongEncoder("vector_shape_wrong", id=row.id, shape=row.vector.shape, dim=self.dim)
            norm = float(np.linalg.norm(row.vector))
            if not abs(norm - 1) <= NORM_TOLERANCE:
                raise ValueError(f"photo {row.id}: the vector's norm is {norm:.4g}; it must be 1")

    def _check_query(self, vector: np.ndarray, digest: str) -> None:
        if digest != self.digest or np.shape(vector) != (self.dim,):
            raise WrongEncoder(
                "query_of_other_encoder",
                value=digest[:12],
                np=np.shape(vector),
                value2=self.digest[:12],
                dim=self.dim,
            )


def _empty(dim: int) -> _View:
    nothing = table_of([], dim)
    return _View((0, 0), None, nothing, None, nothing, 0, 0, 0.0)


def _manifest(view: _View) -> snapshot_files.Manifest:
    if view.manifest is None:
        raise IndexUnavailable("index_manifest_missing")
    return view.manifest


def _gone(view: _View) -> int:
    return 0 if view.alive is None else len(view.base) - int(view.alive.sum())


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _search(view: _View, query: np.ndarray, k: int, where: Filter) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the snapshot that hold its k best products (and more), with their cosines."""
    base = view.base
    mask = None if where.is_empty() else base.passing(where)
    if view.alive is not None:
        mask = view.alive if mask is None else mask & view.alive
    passing = len(base) if mask is None else int(np.count_nonzero(mask))
    if passing <= max(EXACT_ROWS, k):
        rows = np.arange(len(base)) if mask is None else np.flatnonzero(mask)
        return rows, scan.exact(base.exact_vectors, None if mask is None else rows, query)
    wanted = max(KEPT[len(base) > 200_000], DEEP * k)
    code = scan.encode(query[None], base.mean)[:, 0]
    while True:
        rows = scan.nearest_codes(base.codes, code, min(wanted, passing), mask)
        if wanted >= passing or len(np.unique(base.products[rows])) >= 2 * k:
            return rows, scan.exact(base.vectors, rows, query)
        wanted *= 4


def _encode_change(upserts: Sequence[IndexRow], deletes: Sequence[int], as_of: float) -> bytes:
    """One change as bytes: a length, JSON, float32 vectors."""
    rows = [
        [r.id, r.product, list(r.categories), r.price, r.in_stock, r.source, list(r.values)] for r in upserts
    ]
    head = json.dumps({"rows": rows, "deletes": [int(i) for i in deletes], "as_of": as_of}).encode()
    vectors = b"".join(np.ascontiguousarray(r.vector, "<f4").tobytes() for r in upserts)
    return struct.pack("<I", len(head)) + head + vectors


def _decode_change(body: bytes, dim: int) -> tuple[list[IndexRow], list[int], float]:
    (length,) = struct.unpack_from("<I", body)
    head = json.loads(body[4 : 4 + length])
    vectors = np.frombuffer(body, "<f4", offset=4 + length).reshape(-1, dim)
    rows = [
        IndexRow(i, product, vector, tuple(categories), price, stock, source, tuple(values))
        for (i, product, categories, price, stock, source, values), vector in zip(
            head["rows"], vectors, strict=True
        )
    ]
    return rows, head["deletes"], head["as_of"]
