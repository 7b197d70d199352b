"""The flat index: the contract, brute force as reference, and death at every step."""

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shopvision.exceptions import IndexUnavailable
from shopvision.index.base import IndexRow
from shopvision.index.flat.backend import FlatIndex, scan, snapshot_files
from shopvision.index.flat.rows import table_of
from shopvision.types import Filter
from tests.contracts.index import DIGEST, DIM, E, IndexContract, row


def opened(directory: Path) -> FlatIndex:
    return FlatIndex(directory=directory, digest=DIGEST, dim=DIM)


def place(directory: Path) -> Path:
    """Where the index of ``DIGEST`` lies."""
    return directory / DIGEST[:16]


class TestFlat(IndexContract):
    """The embedded default."""

    def make(self, location: Path, *, digest: str = DIGEST, dim: int = DIM) -> FlatIndex:
        return FlatIndex(directory=location, digest=digest, dim=dim)


def clustered(n: int, dim: int, seed: int = 0) -> np.ndarray:
    """Unit rows around n / 20 centres."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(1, n // 20), dim))
    rows = centres[rng.integers(0, len(centres), n)] + 0.6 * rng.standard_normal((n, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_codes_of_a_small_example_are_worked_by_hand() -> None:
    """Above the mean sets the bit of the dimension: 1, 0, 1, 1 from the lowest bit is 0b1101 = 13."""
    codes = scan.encode(np.array([[1.0, -1.0, 2.0, 0.5]]), np.zeros(4))
    assert codes.tolist() == [[13]]
    assert scan.distances(codes, np.array([0], np.uint64), 0, 1).tolist() == [3]


def test_a_code_distance_of_256_counts_as_255() -> None:
    codes = np.full((4, 1), 2**64 - 1, np.uint64)
    assert scan.distances(codes, np.zeros(4, np.uint64), 0, 1).tolist() == [255]


def test_half_precision_rows_give_the_products_of_their_float32_values() -> None:
    """Negative, subnormal (2^-24) and zero values too; 600 rows are more than one step."""
    rows = np.array([[0.5, -0.25], [2.0**-24, -1.0], [0.0, -0.0]], np.float16)[np.arange(600) % 3]
    query = np.array([0.6, 0.8], np.float32)
    expected = [0.1, 0.6 * 2.0**-24 - 0.8, 0.0]
    assert scan.exact(rows, None, query)[:3] == pytest.approx(expected, abs=1e-7)
    assert scan.exact(rows, np.array([4, 599]), query) == pytest.approx([expected[1], expected[2]], abs=1e-7)
    assert scan.exact(np.float32(rows), None, query).tolist() == scan.exact(rows, None, query).tolist()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[FlatIndex, np.ndarray]:
    """45,000 rows of 15,000 products: large enough for the coded search."""
    vectors = clustered(45_000, 64)
    rows = [
        IndexRow(i, i // 3, v, (f"c{i % 7}",), float(i % 50), i % 2 == 0, "s") for i, v in enumerate(vectors)
    ]
    index = FlatIndex(directory=tmp_path_factory.mktemp("flat"), digest=DIGEST, dim=64)
    index.rebuild(rows, sequence=1, digest=DIGEST)
    return index, vectors


def test_coded_search_finds_what_brute_force_finds(large: tuple[FlatIndex, np.ndarray]) -> None:
    index, vectors = large
    queries = clustered(50, 64, seed=0)
    found = 0
    for query in queries:
        best = np.argsort(-(vectors @ query), kind="stable") // 3
        expected = list(dict.fromkeys(best.tolist()))[:10]
        found += len(set(expected) & set(index.query(query, 10, digest=DIGEST).products.tolist()))
    assert found / 500 >= 0.99


@settings(max_examples=40, deadline=None)
@given(
    categories=st.none() | st.frozensets(st.sampled_from([f"c{i}" for i in range(9)]), max_size=3),
    low=st.none() | st.integers(0, 60),
    high=st.none() | st.integers(0, 60),
    stock=st.none() | st.booleans(),
    products=st.none() | st.frozensets(st.integers(0, 16_000), max_size=200),
    exclude=st.frozensets(st.integers(0, 15_000), max_size=5),
    pick=st.integers(0, 44_999),
)
def test_any_filter_gives_exactly_the_nearest_that_pass(
    large: tuple[FlatIndex, np.ndarray],
    categories: frozenset[str] | None,
    low: int | None,
    high: int | None,
    stock: bool | None,
    products: frozenset[int] | None,
    exclude: frozenset[int],
    pick: int,
) -> None:
    index, vectors = large
    i = np.arange(len(vectors))
    ok = ~np.isin(i // 3, list(exclude))
    ok &= True if categories is None else np.isin(i % 7, [int(c[1:]) for c in categories if int(c[1:]) < 7])
    ok &= True if low is None else i % 50 >= low
    ok &= True if high is None else i % 50 <= high
    ok &= True if stock is None else (i % 2 == 0) == stock
    ok &= True if products is None else np.isin(i // 3, list(products))
    where = Filter(
        categories=categories,
        price_min=None if low is None else Decimal(low),
        price_max=None if high is None else Decimal(high),
        in_stock=stock,
        products=products,
        exclude=exclude,
    )
    found = index.query(vectors[pick], 10, where=where, digest=DIGEST)
    passing = np.flatnonzero(ok)
    assert set(found.ids.tolist()) <= set(passing.tolist())
    expected = len(set((passing // 3).tolist()))
    assert len(found) == min(10, expected)
    if len(passing) <= 20_000 and len(passing):
        best = (vectors[passing] @ vectors[pick]).max()
        assert found.similarities[0] == pytest.approx(best, abs=2e-3)


def die_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process end, as by SIGKILL, when the writer comes to a step."""
    monkeypatch.setattr(snapshot_files, "step", lambda step: os._exit(9) if step == name else None)


STEPS = [
    "log before", "log half", "log written", "log synced", *(f"snapshot {c}" for c in snapshot_files.COLUMNS),
    "snapshot folder", "snapshot log", "manifest written", "manifest swapped",
    "remove snapshot", "remove log",
]  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_a_writer_killed_at_any_step_loses_nothing_acknowledged(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 1 and 2 were acknowledged before; row 3 is there wholly or not at all, and the next write works."""
    index = opened(tmp_path)
    for sequence in (1, 2):
        index.apply([row(sequence, sequence, E[sequence])], [], sequence=sequence, digest=DIGEST)
        index.snapshot()
    index.snapshot()
    reader = opened(tmp_path)
    child = os.fork()
    if child == 0:
        die_at(name, monkeypatch)
        index.apply([row(3, 3, E[3])], [], sequence=3, digest=DIGEST)
        index.snapshot()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    for one in (reader, opened(tmp_path)):
        seen = set(one.query(E[0], 9, digest=DIGEST).products.tolist())
        assert {1, 2} <= seen <= {1, 2, 3}
        assert (3 in seen) == (one.sequence() == 3)
    index.apply([row(4, 4, E[0])], [], sequence=4, digest=DIGEST)
    index.snapshot()
    assert {1, 2, 4} <= set(reader.query(E[0], 9, digest=DIGEST).products.tolist())


def test_readers_in_other_processes_never_see_torn_or_missing_rows(tmp_path: Path) -> None:
    """Photos 1..n arrive one by one; a reader that sees sequence n must find all n, and soon n = 150."""
    opened(tmp_path).apply([row(1, 1, E[0])], [], sequence=1, digest=DIGEST)
    readers = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            os._exit(_watch(tmp_path))
        readers.append(child)
    writer = opened(tmp_path)
    for n in range(2, 151):
        writer.apply([row(n, n, [1, n, 0, 0])], [], sequence=n, digest=DIGEST)
        if n % 10 == 0:
            writer.snapshot()
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in readers] == [0, 0, 0]


def _watch(location: Path) -> int:
    """0 once 150 photos were seen and none was ever missing; 1 for a torn view; 2 for none in time."""
    index, deadline = opened(location), time.monotonic() + 60
    while time.monotonic() < deadline:
        before = index.sequence()
        seen = len(index.query(E[0], 200, digest=DIGEST))
        if not before <= seen <= index.sequence():
            return 1
        if seen == 150:
            return 0
    return 2


def test_threads_share_one_index(tmp_path: Path) -> None:
    index = opened(tmp_path)
    wrong: list[str] = []

    def read() -> None:
        for _ in range(200):
            before = index.sequence()
            if len(index.query(E[0], 100, digest=DIGEST)) < before:
                wrong.append(f"fewer than {before}")

    threads = [threading.Thread(target=read) for _ in range(4)]
    [t.start() for t in threads]
    for n in range(1, 51):
        index.apply([row(n, n, E[0])], [], sequence=n, digest=DIGEST)
    [t.join() for t in threads]
    assert wrong == []
    assert index.count() == 50


@pytest.mark.parametrize("name", ["vectors", "codes", "ids", "products", "prices"])
def test_a_changed_byte_is_reported_and_nothing_wrong_is_answered(name: str, tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.rebuild([row(i, i, [1, i, 0, 0]) for i in range(1, 9)], sequence=1, digest=DIGEST)
    path = next(place(tmp_path).glob(f"snapshot-*/{name}"))
    data = bytearray(path.read_bytes())
    data[3] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(IndexUnavailable, match="corrupt"):
        opened(tmp_path)


def test_a_damaged_manifest_makes_health_say_so(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.apply([row(1, 1, E[0])], [], sequence=1, digest=DIGEST)
    (place(tmp_path) / "MANIFEST").write_text("{")
    health = index.health()
    assert not health.ok
    assert "manifest" in health.detail


def test_a_second_writer_waits_for_the_lock_and_then_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        snapshot_files.writer_lock(place(tmp_path)),
        pytest.raises(IndexUnavailable, match="written"),
        snapshot_files.writer_lock(place(tmp_path), seconds=0.05),
    ):
        pass


def test_an_index_of_an_older_version_is_empty_and_can_be_filled(tmp_path: Path) -> None:
    index = opened(tmp_path)
    index.apply([row(1, 10, E[0])], [], sequence=5, digest=DIGEST)
    fields = json.loads((place(tmp_path) / "MANIFEST").read_text())
    del fields["value_sets"], fields["checksum"], fields["format"]
    old = {**fields, "format": 1, "checksum": zlib.crc32(json.dumps(fields, sort_keys=True).encode())}
    (place(tmp_path) / "MANIFEST").write_text(json.dumps(old))
    later = opened(tmp_path)
    assert (later.count(), later.sequence()) == (0, 0)
    later.rebuild([row(1, 10, E[0])], sequence=5, digest=DIGEST)
    assert opened(tmp_path).count() == 1


def test_values_outlive_log_and_snapshot(tmp_path: Path) -> None:
    index = opened(tmp_path)
    blue = Filter(values=(("colour", frozenset({"blue"})),))
    index.apply([row(1, 10, E[0], values=("colour=blue",))], [], sequence=1, digest=DIGEST)
    index.snapshot()
    changes = [row(2, 20, E[0], values=("colour=blue",)), row(3, 30, E[0], values=("colour=red",))]
    index.apply(changes, [], sequence=2, digest=DIGEST)
    for reader in (index, opened(tmp_path)):
        assert reader.query(E[0], 5, where=blue, digest=DIGEST).products.tolist() == [10, 20]
    index.apply([row(1, 10, E[0], values=("colour=red",))], [], sequence=3, digest=DIGEST)
    index.snapshot()
    assert index.query(E[0], 5, where=blue, digest=DIGEST).products.tolist() == [20]


def test_the_log_is_folded_before_it_grows_long(tmp_path: Path) -> None:
    index = opened(tmp_path)
    for n in range(6):
        rows = [row(i, i, [1, i + 1, 0, 0]) for i in range(n * 500, (n + 1) * 500)]
        index.apply(rows, [], sequence=n + 1, digest=DIGEST)
    manifest = snapshot_files.read_manifest(place(tmp_path))
    assert manifest is not None
    assert manifest.rows >= 2_000
    assert index.count() == 3_000


def test_a_table_streams_from_an_iterator() -> None:
    table = table_of((row(i, i, E[0], categories=(f"c{i % 3}",)) for i in range(100)), DIM, size=7)
    assert len(table) == 100
    assert [table.category_sets[c] for c in table.categories[:4]] == [("c0",), ("c1",), ("c2",), ("c0",)]
