"""Recall@k, mean average precision and AUROC of retrieval."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TypeVar

import numpy as np

Label = TypeVar("Label", str, int)


def recall_at(ranked: Sequence[Sequence[Label]], relevant: Sequence[Collection[Label]], k: int) -> float:
    """Share of queries with at least one relevant product among the first k; 0.0 without queries.

    ``R@k = |{q : {r_1..r_k} and rel(q) meet}| / |Q|`` — for one relevant product per query, recall proper.
    """
    if not ranked:
        return 0.0
    hits = sum(
        any(label in wanted for label in row[:k]) for row, wanted in zip(ranked, relevant, strict=True)
    )
    return hits / len(ranked)


def average_precision_at(row: Sequence[Label], wanted: Collection[Label], k: int) -> float:
    """``AP@k = sum over ranks i <= k holding a relevant product of P@i, over min(|rel|, k)``.

    A label counted once is not counted again. No relevant product gives 0.0.
    """
    seen: set[Label] = set()
    total = 0.0
    for rank, label in enumerate(row[:k], start=1):
        if label in wanted and label not in seen:
            seen.add(label)
            total += len(seen) / rank
    return total / min(len(wanted), k) if wanted else 0.0


def map_at(ranked: Sequence[Sequence[Label]], relevant: Sequence[Collection[Label]], k: int) -> float:
    """Mean of ``AP@k`` over the queries; 0.0 without queries."""
    if not ranked:
        return 0.0
    rows = zip(ranked, relevant, strict=True)
    return sum(average_precision_at(row, wanted, k) for row, wanted in rows) / len(ranked)


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """Probability that a positive scores above a negative, ties counting half; nan if either is empty.

    Source: Mann & Whitney, 1947: ``U / (n m)`` from the rank sum.
    """
    n, m = len(positive), len(negative)
    if not n or not m:
        return float("nan")
    values = np.concatenate([np.asarray(positive, float), np.asarray(negative, float)])
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[place]
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))
