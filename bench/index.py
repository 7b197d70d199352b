"""The vector index beside what else is installed: ``python -m bench.index --size 100000 --json``.

One thread each. Data: a mixture of low-rank clusters with unit rows, like embeddings of a catalogue; queries are
rows of the same mixture that are not in the index. Exact search in float32 is the reference.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse  # noqa: E402
import importlib.util  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from decimal import Decimal  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

import bench.django_setup  # noqa: E402, F401 - an answer's as_of is a time in the settings' zone
from shopvision.index.flat import FlatIndex, snapshot_files  # noqa: E402
from shopvision.index.flat.rows import Table  # noqa: E402
from shopvision.types import EVERYTHING, Filter  # noqa: E402

DIM, K, QUERIES = 256, 50, 200
DIGEST = "0" * 64
Search = Callable[[np.ndarray], np.ndarray]


def mixture(rows: int, seed: int) -> np.ndarray:
    """Unit rows: 64 directions with falling weight, clusters of about 50, a little noise in all dimensions."""
    rng = np.random.default_rng(0)
    axes = rng.standard_normal((64, DIM)).astype(np.float32) * (0.97 ** np.arange(64))[:, None].astype(
        np.float32
    )
    centres = rng.standard_normal((20_000, 64)).astype(np.float32)
    own = np.random.default_rng(seed)
    out = np.empty((rows, DIM), np.float32)
    for start in range(0, rows, 50_000):
        n = min(50_000, rows - start)
        latent = centres[own.integers(0, len(centres), n)] + 0.5 * own.standard_normal(
            (n, 64), dtype=np.float32
        )
        part = latent @ axes + 0.4 * own.standard_normal((n, DIM), dtype=np.float32)
        out[start : start + n] = part / np.linalg.norm(part, axis=1, keepdims=True)
    return out


def table(vectors: np.ndarray) -> Table:
    """One photo a product; a hundred categories and prices from 0 to 999."""
    n = len(vectors)
    ids = np.arange(1, n + 1)
    return Table(
        vectors, ids, ids, (ids % 100).astype(np.int32), (ids % 1000).astype(np.float32), ids % 3 > 0,
        np.zeros(n, np.int32), np.zeros(n, np.int32), tuple((f"c{i}",) for i in range(100)), ("bench",), ((),),
        np.empty((0, 0), np.uint64), np.zeros(DIM, np.float32), np.empty(0, np.int64),
    )  # fmt: skip


def measure(search: Search, queries: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """p50 and p95 in ms over the queries, and recall@10 against the truth."""
    search(queries[0])
    took, hit = [], 0
    for query, best in zip(queries, truth, strict=True):
        start = time.perf_counter()
        found = search(query)
        took.append((time.perf_counter() - start) * 1000)
        hit += len(set(found[:10].tolist()) & set(best[:10].tolist()))
    return {
        "query_ms_p50": round(float(np.percentile(took, 50)), 3),
        "query_ms_p95": round(float(np.percentile(took, 95)), 3),
        "recall@10": round(hit / (10 * len(queries)), 4),
    }


def exact(vectors: np.ndarray, queries: np.ndarray, passing: np.ndarray | None = None) -> np.ndarray:
    """Row numbers of the K nearest, by float32 products."""
    rows = np.arange(len(vectors)) if passing is None else np.flatnonzero(passing)
    best = np.empty((len(queries), K), np.int64)
    for i, query in enumerate(queries):
        similarity = vectors[rows] @ query if passing is not None else vectors @ query
        top = np.argpartition(-similarity, K)[:K]
        best[i] = rows[top[np.argsort(-similarity[top])]]
    return best


def ours(vectors: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """The flat index through its public door."""
    with tempfile.TemporaryDirectory() as folder:
        index = FlatIndex(directory=folder, digest=DIGEST, dim=DIM)
        start = time.perf_counter()
        index.load(table(vectors), sequence=1, digest=DIGEST)
        built = time.perf_counter() - start

        def search(query: np.ndarray, where: Filter = EVERYTHING) -> np.ndarray:
            return index.query(query, K, where=where, digest=DIGEST).products - 1

        answer: dict[str, Any] = {
            **measure(search, queries, truth),
            "build_s": round(built, 2),
            "bytes": snapshot_files.size(Path(folder)),
        }
        ids = np.arange(1, len(vectors) + 1)
        for name, where, passing in (
            ("filter_1_percent", Filter(categories=frozenset({"c7"})), ids % 100 == 7),
            ("filter_half", Filter(price_max=Decimal(499)), ids % 1000 <= 499),
        ):
            best = exact(vectors, queries, passing)
            answer[name] = measure(lambda q, where=where: search(q, where), queries, best)  # type: ignore[misc]
        return answer


def peers(vectors: np.ndarray, queries: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """What else is installed, on the same data; what is not is named with null, what is broken with its problem."""
    makers: dict[str, tuple[str, Callable[[np.ndarray], Search]]] = {
        "faiss_flat": ("faiss", lambda v: _faiss(v, "Flat")),
        "faiss_sq8": ("faiss", lambda v: _faiss(v, "SQ8")),
        "faiss_ivf_sq8": ("faiss", lambda v: _faiss(v, f"IVF{max(16, int(len(v) ** 0.5))},SQ8")),
        "faiss_hnsw_sq8": ("faiss", lambda v: _faiss(v, "HNSW32,SQ8")),
        "usearch_i8": ("usearch", _usearch),
        "sqlite_vec_int8": ("sqlite_vec", _sqlite_vec),
    }
    rows: dict[str, Any] = {}
    for name, (module, make) in makers.items():
        if importlib.util.find_spec(module) is None:
            rows[name] = None
            continue
        start = time.perf_counter()
        try:
            search = make(vectors)
        except Exception as error:  # noqa: BLE001 - a peer that is broken here is named, and the others go on
            rows[name] = {"problem": f"{type(error).__name__}: {error}"}
            continue
        built = time.perf_counter() - start
        slow = name.startswith("sqlite")
        few = slice(0, 20 if slow else len(queries))
        rows[name] = {**measure(search, queries[few], truth[few]), "build_s": round(built, 2)}
    return rows


def _faiss(vectors: np.ndarray, recipe: str) -> Search:
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.index_factory(DIM, recipe, faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[:100_000])
    index.add(vectors)
    if "IVF" in recipe:
        faiss.extract_index_ivf(index).nprobe = 16
    if "HNSW" in recipe:
        faiss.downcast_index(index).hnsw.efSearch = 128
    return lambda query: np.asarray(index.search(query[None], K)[1][0])


def _usearch(vectors: np.ndarray) -> Search:
    from usearch.index import Index

    index = Index(ndim=DIM, metric="cos", dtype="i8")
    index.add(np.arange(len(vectors)), vectors, threads=1)
    return lambda query: np.asarray(index.search(query, K, threads=1).keys, np.int64)


def _sqlite_vec(vectors: np.ndarray) -> Search:
    import sqlite3

    import sqlite_vec

    db = sqlite3.connect(":memory:")
    db.enable_load_extension(True)
    sqlite_vec.load(db)
    db.execute(f"create virtual table v using vec0(e int8[{DIM}] distance_metric=cosine)")

    def pack(row: np.ndarray) -> bytes:
        return np.clip(np.rint(row * 400), -127, 127).astype(np.int8).tobytes()

    rows = ((i, pack(row)) for i, row in enumerate(vectors))
    db.executemany("insert into v(rowid, e) values (?, vec_int8(?))", rows)
    ask = f"select rowid from v where e match vec_int8(?) and k = {K} order by distance"
    return lambda query: np.array([row[0] for row in db.execute(ask, (pack(query),))])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--no-peers", action="store_true", help="only ours")
    parser.add_argument("--json", action="store_true", help="one line (else indented)")
    options = parser.parse_args()
    vectors, queries = mixture(options.size, seed=1), mixture(QUERIES, seed=2)
    truth = exact(vectors, queries)
    answer = {"size": options.size, "dim": DIM, "k": K, "threads": 1, "machine": platform.machine()}
    answer |= ours(vectors, queries, truth)
    if not options.no_peers:
        answer["rows"] = peers(vectors, queries, truth)
    print(json.dumps(answer, indent=None if options.json else 1))


if __name__ == "__main__":
    main()
