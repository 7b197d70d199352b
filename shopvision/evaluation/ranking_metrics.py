"""NDCG, recall, reciprocal rank, coverage and novelty of listings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ranked(relevance: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Relevance in the order of falling scores; equal scores keep the order given."""
    return relevance[np.argsort(-scores, kind="stable")]


def ndcg_at(row: np.ndarray, k: int) -> float:
    """Normalised discounted cumulative gain of one listing.

    ``DCG@k = sum over ranks i <= k of rel_i / log2(i + 1)``, over that of the best possible order; 0.0 where
    nothing is relevant.

    Args:
        row: relevance in the order ranked, 0 or more; all of the listing.
        k: ranks looked at.

    Source: Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002.
    """
    discount = 1 / np.log2(np.arange(2, min(k, len(row)) + 2))
    best = float(np.sort(row)[::-1][: len(discount)] @ discount)
    return float(row[: len(discount)] @ discount) / best if best > 0 else 0.0


def recall_at(row: np.ndarray, k: int) -> float:
    """Share of a listing's relevant products among its first k; 0.0 where nothing is relevant.

    ``R@k = |relevant among the first k| / min(|relevant|, k)``, so that a perfect order reaches 1.
    """
    right = row > 0
    return float(right[:k].sum()) / min(int(right.sum()), k) if right.any() else 0.0


def reciprocal_rank(row: np.ndarray) -> float:
    """``1 / rank`` of a listing's first relevant product; 0.0 where nothing is relevant. Its mean is the MRR."""
    places = np.flatnonzero(row > 0)
    return 1.0 / (int(places[0]) + 1) if len(places) else 0.0


def coverage_at(listings: Sequence[np.ndarray], k: int, catalogue: int) -> float:
    """Share of the catalogue's products that are among the first k of some listing; 0.0 without products.

    Args:
        listings: product numbers in the order ranked.
    """
    if not catalogue or not len(listings):
        return 0.0
    return len(np.unique(np.concatenate([one[:k] for one in listings]))) / catalogue


def novelty_at(listings: Sequence[np.ndarray], k: int, counts: np.ndarray) -> float:
    """Mean surprise in bits of the products among the first k: ``-log2((n_i + 1) / sum over all of (n + 1))``.

    Args:
        listings: product numbers in the order ranked.
        counts: how often each product was chosen before, n; (N,).

    Source: Zhou et al., "Solving the apparent diversity-accuracy dilemma", PNAS 2010.
    """
    if not len(listings):
        return 0.0
    bits = -np.log2((counts + 1) / (counts + 1).sum())
    return float(np.concatenate([bits[one[:k]] for one in listings]).mean())
