"""Rows of the flat index as columns, with the filters that run over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from ...types import Filter
from ..base import IndexRow, token
from . import scan
from .snapshot_files import Manifest

Meaning = TypeVar("Meaning", str, tuple[str, ...])
SMALL = 20_000  # rows up to which a float32 copy of the vectors is kept (20 MB at 256 dimensions)


@dataclass(frozen=True)
class Table:
    """Columns of N rows.

    Args:
        vectors: float16 or float32 (N, D).
        ids, products: int64 (N,).
        categories, sources, values: int32 (N,), codes into the three lists below.
        prices: float32 (N,), nan for none. stock: bool (N,).
        category_sets, source_names, value_sets: what the codes mean.
        codes: uint64 (words, N) sign codes; empty until a snapshot is made.
        mean: float32 (D,), what the codes are centred on.
        by_id: int64 (N,), rows in the order of their ids; empty until a snapshot is made.
    """

    vectors: np.ndarray
    ids: np.ndarray
    products: np.ndarray
    categories: np.ndarray
    prices: np.ndarray
    stock: np.ndarray
    sources: np.ndarray
    values: np.ndarray
    category_sets: tuple[tuple[str, ...], ...]
    source_names: tuple[str, ...]
    value_sets: tuple[tuple[str, ...], ...]
    codes: np.ndarray
    mean: np.ndarray
    by_id: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def exact_vectors(self) -> np.ndarray:
        """float32 vectors of a small table, converted once; of a large one the stored vectors."""
        small = len(self) <= SMALL
        return np.asarray(self.vectors, np.float32) if small else self.vectors

    @cached_property
    def codes_of_value(self) -> dict[str, list[int]]:
        """By value, the codes of the sets that hold it; a shop may have as many sets as products."""
        found: dict[str, list[int]] = {}
        for code, held in enumerate(self.value_sets):
            for value in held:
                found.setdefault(value, []).append(code)
        return found

    def find(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of the ids are here (their places in ``ids``), and in which rows."""
        order = self.by_id if len(self.by_id) else np.argsort(self.ids, kind="stable")
        if not len(order) or not len(ids):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        place = np.searchsorted(self.ids, ids, sorter=order).clip(max=len(order) - 1)
        rows = order[place]
        hit = np.flatnonzero(self.ids[rows] == ids)
        return hit, np.asarray(rows[hit])

    def take(self, rows: np.ndarray) -> Table:
        """Some of the rows, without codes."""
        return Table(
            self.vectors[rows], self.ids[rows], self.products[rows], self.categories[rows],
            self.prices[rows], self.stock[rows], self.sources[rows], self.values[rows],
            self.category_sets, self.source_names, self.value_sets, _NO_CODES, self.mean, _NO_ROWS,
        )  # fmt: skip

    def passing(self, where: Filter) -> np.ndarray:
        """Bool (N,): which rows pass, every condition exact."""
        if where.products is not None:
            return self._among(where)
        return self._conditions(where, slice(None))

    def _among(self, where: Filter) -> np.ndarray:
        """The same where products are named: only their rows are looked at (rows are in product order)."""
        wanted = np.array(sorted(where.products or ()), np.int64)
        if len(self.codes):
            low = np.searchsorted(self.products, wanted, "left")
            high = np.searchsorted(self.products, wanted, "right")
            parts = [np.arange(a, b) for a, b in zip(low, high, strict=True)]
            rows = np.concatenate(parts) if parts else _NO_ROWS
        else:
            rows = np.flatnonzero(np.isin(self.products, wanted))
        out = np.zeros(len(self), bool)
        out[rows] = self._conditions(where, rows)
        return out

    def _conditions(self, where: Filter, rows: np.ndarray | slice) -> np.ndarray:
        ok = np.ones(len(self.ids[rows]), bool)
        if where.categories is not None:
            known = np.array([not where.categories.isdisjoint(s) for s in self.category_sets] + [False])
            ok &= known[self.categories[rows]]
        if where.sources is not None:
            known = np.array([name in where.sources for name in self.source_names] + [False])
            ok &= known[self.sources[rows]]
        for name, wanted in where.values:
            ok &= self._holding(name, wanted)[self.values[rows]]
        if where.price_min is not None:
            ok &= self.prices[rows] >= np.float32(where.price_min)
        if where.price_max is not None:
            ok &= self.prices[rows] <= np.float32(where.price_max)
        if where.in_stock is not None:
            ok &= self.stock[rows] == where.in_stock
        if where.exclude:
            ok &= ~np.isin(self.products[rows], np.array(sorted(where.exclude), np.int64))
        return ok

    def _holding(self, name: str, wanted: Iterable[str]) -> np.ndarray:
        """Bool by code of ``values``: which sets hold one of the filter's wanted values."""
        known = np.zeros(len(self.value_sets) + 1, bool)
        for value in wanted:
            known[self.codes_of_value.get(token(name, value), [])] = True
        return known

    def to_columns(
        self, digest: str, version: int, sequence: int, as_of: float
    ) -> tuple[Manifest, dict[str, np.ndarray]]:
        """The table in product order with codes, as a snapshot keeps it, and the manifest to go with it."""
        order = np.lexsort((self.ids, self.products))
        vectors = np.asarray(self.vectors[order], np.float16)
        dim = self.vectors.shape[1]
        mean = _mean(vectors)
        codes = np.empty((-(-dim // 64), len(vectors)), np.uint64)
        for start in range(0, len(vectors), scan.CHUNK):
            part = slice(start, start + scan.CHUNK)
            codes[:, part] = scan.encode(vectors[part], mean)
        ids = self.ids[order]
        columns = {
            "vectors": vectors, "codes": codes, "ids": ids, "products": self.products[order],
            "categories": self.categories[order], "prices": self.prices[order], "stock": self.stock[order],
            "sources": self.sources[order], "values": self.values[order],
            "by_id": np.argsort(ids, kind="stable"),
        }  # fmt: skip
        manifest = Manifest(
            version, digest, dim, sequence, as_of, len(ids), {}, mean.tolist(),
            [list(one) for one in self.category_sets], list(self.source_names),
            [list(one) for one in self.value_sets],
        )  # fmt: skip
        return manifest, columns

    @classmethod
    def from_columns(cls, manifest: Manifest, columns: dict[str, np.ndarray]) -> Table:
        """A snapshot's columns as a table."""
        return cls(
            **columns,
            category_sets=tuple(tuple(one) for one in manifest.category_sets),
            source_names=tuple(manifest.source_names),
            value_sets=tuple(tuple(one) for one in manifest.value_sets),
            mean=np.asarray(manifest.mean, np.float32),
        )


_NO_CODES = np.empty((0, 0), np.uint64)
_NO_ROWS = np.empty(0, np.int64)


def _mean(vectors: np.ndarray) -> np.ndarray:
    """Mean of at most 100,000 rows spread over all."""
    if not len(vectors):
        return np.zeros(vectors.shape[1], np.float32)
    step = max(1, len(vectors) // 100_000)
    return np.asarray(vectors[::step].astype(np.float32).mean(0))


def table_of(rows: Iterable[IndexRow], dim: int, size: int = 4096) -> Table:
    """Rows as a table; taken in ``size`` at a time, so that a stream of millions stays arrays."""
    parts, chunk = [], []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            parts.append(_chunk(chunk, dim))
            chunk = []
    parts.append(_chunk(chunk, dim))
    return join(parts)


def _chunk(rows: Sequence[IndexRow], dim: int) -> Table:
    sets = _numbered(row.categories for row in rows)
    names = _numbered(row.source for row in rows)
    values = _numbered(row.values for row in rows)
    vectors = np.stack([row.vector for row in rows]) if rows else np.empty((0, dim))
    prices = [np.nan if row.price is None else row.price for row in rows]
    return Table(
        np.asarray(vectors, np.float32),
        np.array([row.id for row in rows], np.int64),
        np.array([row.product for row in rows], np.int64),
        np.array([sets[row.categories] for row in rows], np.int32),
        np.array(prices, np.float32),
        np.array([row.in_stock for row in rows], bool),
        np.array([names[row.source] for row in rows], np.int32),
        np.array([values[row.values] for row in rows], np.int32),
        tuple(sets),
        tuple(names),
        tuple(values),
        _NO_CODES,
        np.zeros(dim, np.float32),
        _NO_ROWS,
    )


def _numbered(found: Iterable[Meaning]) -> dict[Meaning, int]:
    """Each once, with its code, in the order they come."""
    return {key: code for code, key in enumerate(dict.fromkeys(found))}


def join(tables: Sequence[Table]) -> Table:
    """Tables one after the other, their codes of categories, sources and values brought together."""
    if len(tables) == 1:
        return tables[0]
    sets, categories = _recoded([(one.category_sets, one.categories) for one in tables])
    names, sources = _recoded([(one.source_names, one.sources) for one in tables])
    held, values = _recoded([(one.value_sets, one.values) for one in tables])
    kept = [one for one in tables if len(one)] or [tables[0]]
    return Table(
        np.concatenate([one.vectors for one in kept]),
        np.concatenate([one.ids for one in tables]),
        np.concatenate([one.products for one in tables]),
        categories,
        np.concatenate([one.prices for one in tables]),
        np.concatenate([one.stock for one in tables]),
        sources,
        values,
        sets,
        names,
        held,
        _NO_CODES,
        tables[0].mean,
        _NO_ROWS,
    )


def _recoded(
    parts: Sequence[tuple[tuple[Meaning, ...], np.ndarray]],
) -> tuple[tuple[Meaning, ...], np.ndarray]:
    """Codes of several tables under one list of meanings, and that list."""
    known: dict[Meaning, int] = {}
    columns = []
    for meanings, codes in parts:
        new = np.array([known.setdefault(key, len(known)) for key in meanings], np.int32)
        columns.append(new[codes] if len(codes) else codes)
    return tuple(known), np.concatenate(columns)
