"""Similarity between photos of different products of a shop: quantiles overall, and a limit per block family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..encoders.base import BlockSpec, Descriptors, families
from ..encoders.projection import unit

LEVELS = (*range(0, 99), *(99 + step / 20 for step in range(21)))
"""Percentiles kept: whole numbers to 98, then every twentieth, where nearly all answers lie."""
NOTEWORTHY = 95  # a family is named when it is more alike than this share of unrelated pairs
PAIRS = 1500  # photos sampled for the families' background


def background(vectors: np.ndarray, products: np.ndarray, *, limit: int = 2000) -> list[float]:
    """Quantiles at ``LEVELS`` of the similarity between photos of different products.

    Args:
        vectors: float32 (N, D) unit rows, as the index keeps them. products: int (N,).
        limit: photos sampled evenly; pairs grow with its square.

    Returns:
        one similarity per level, rising; empty when there are no two products.
    """
    step = max(1, len(vectors) // limit)
    rows, names = vectors[::step], products[::step]
    pairs = (rows @ rows.T)[names[:, None] != names[None, :]]
    return [round(float(q), 5) for q in np.percentile(pairs, LEVELS)] if len(pairs) else []


def family_background(
    descriptors: Descriptors, products: np.ndarray, specs: Sequence[BlockSpec]
) -> dict[str, float]:
    """By family, the similarity that only five of a hundred pairs of different products exceed."""
    step = max(1, len(products) // PAIRS)
    names = products[::step]
    apart = names[:, None] != names[None, :]
    out = {}
    for family, blocks in families(specs).items():
        total = np.zeros(apart.shape, np.float32)
        for block in blocks:
            rows = unit(descriptors[block][::step])
            total += rows @ rows.T / len(blocks)
        if apart.any():
            out[family] = round(float(np.percentile(total[apart], NOTEWORTHY)), 5)
    return out
