"""Candidates: the products of a listing before they are ranked, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Products to rank, in the shop's own order; all as long as ``numbers``.

    Args:
        numbers: numbers of the knowledge's items, int32 (L,); -1, or one past its end, is a product that it
            does not hold yet. See ``Knowledge.number``.
        price: in the shop's currency, nan where unknown; float32 (L,).
        category: equal where the category is the same, -1 where unknown; int32 (L,).
        age_days: since the product came into the shop, nan where unknown; float32 (L,).
        in_stock: bool (L,).
        position: in the shop's own order, from 0; -1 where the shop has none; int32 (L,).
        popularity: acts counted lately, for products the knowledge does not hold; nan where unknown;
            float32 (L,).
        content: by space (``visual``, ``text``), similarity of each candidate with each product of the
            profile, in [-1, 1], nan where either has no vector; float32 (L, P). Where a space is absent,
            the knowledge's own vectors are compared.
    """

    numbers: np.ndarray
    price: np.ndarray
    category: np.ndarray
    age_days: np.ndarray
    in_stock: np.ndarray
    position: np.ndarray
    popularity: np.ndarray
    content: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)


def plain(numbers: np.ndarray) -> Candidates:
    """Candidates of which nothing but their number is known, in no particular order."""
    length = len(numbers)
    nothing = np.full(length, np.nan, np.float32)
    unknown = np.full(length, -1, np.int32)
    return Candidates(
        numbers.astype(np.int32), nothing, unknown, nothing, np.ones(length, bool), unknown, nothing
    )
