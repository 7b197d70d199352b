"""Profile: what somebody did lately, newest first, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

STRENGTHS = MappingProxyType(
    {
        "impression": 0.0,
        "view": 1.0,
        "click": 1.0,
        "search": 0.0,
        "photo_search": 0.0,
        "basket_add": 2.0,
        "basket_remove": 0.0,
        "purchase": 3.0,
        "rate": 1.0,
        "hide": 0.0,
    }
)
"""What an act says about interest, in views. A purchase says most, but a visit has few of them; ``hide`` and
``basket_remove`` are not held against products that are like it."""
NEUTRAL_STARS = 2.5  # a rating below says no interest


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Acts of one subject, newest first; all as long as ``items``.

    Args:
        items: numbers of the knowledge's items, int32 (P,); see ``Knowledge.number``.
        refs: the products as text.
        kinds: of the acts, as ``events`` names them.
        ages_days: how long ago, float32 (P,), not negative.
        values: stars of a rating, pieces of a purchase, nan without; float32 (P,).
        prices: of the products, nan where unknown; float32 (P,).
        categories: equal where the products' category is the same, -1 where unknown; int32 (P,). The same
            numbers as the candidates' have.
    """

    items: np.ndarray
    refs: tuple[str, ...]
    kinds: tuple[str, ...]
    ages_days: np.ndarray
    values: np.ndarray
    prices: np.ndarray
    categories: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    @property
    def strengths(self) -> np.ndarray:
        """What each act says about interest, in views, float32 (P,)."""
        found = np.array([STRENGTHS.get(kind, 0.0) for kind in self.kinds], np.float32)
        rated = np.array([kind == "rate" for kind in self.kinds], bool)
        stars = np.where(np.isnan(self.values), NEUTRAL_STARS + 1, self.values)
        return np.where(rated, np.maximum(stars - NEUTRAL_STARS, 0), found).astype(np.float32)


def nobody() -> Profile:
    """The profile of a visitor who did nothing yet."""
    none = np.empty(0, np.float32)
    return Profile(np.empty(0, np.int32), (), (), none, none, none, np.empty(0, np.int32))
