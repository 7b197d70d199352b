"""Arrays of interactions, item facts and a visitor's profile."""

from __future__ import annotations

from collections.abc import Sequence
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


KINDS = tuple(STRENGTHS)
"""Kinds of acts; ``Interactions.kinds`` are places in it."""
STRENGTH_OF = np.array([STRENGTHS[kind] for kind in KINDS], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Who did something with which item when, in any order; all of one length.

    Args:
        subjects: numbers, int64 (n,).
        visits: numbers, int64 (n,); a visit is of one subject: a session, or a day's purchases.
        items: item numbers, int32 (n,).
        kinds: places in ``KINDS``, int8 (n,).
        times: seconds since 1970, float64 (n,).
    """

    subjects: np.ndarray
    visits: np.ndarray
    items: np.ndarray
    kinds: np.ndarray
    times: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    @property
    def strengths(self) -> np.ndarray:
        """What each says about interest, in views, float32 (n,)."""
        return np.asarray(STRENGTH_OF[self.kinds])

    def take(self, rows: np.ndarray) -> Interactions:
        """Some of them, by number or by truth."""
        return Interactions(
            self.subjects[rows], self.visits[rows], self.items[rows], self.kinds[rows], self.times[rows]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What the catalogue and the counters say of the items; all as long as ``items``, None where unknown.

    Args:
        items: references as text.
        texts: title and description.
        prices: in the shop's currency, nan where unknown; float32 (N,).
        categories: equal where the category is the same, -1 where unknown; int32 (N,).
        since: when each came into the shop, seconds since 1970, nan where unknown; float64 (N,).
        shown: how often each was shown; float32 (N,).
        clicked: how often it was clicked of those, float32 (N,).
        visual: unit rows, or rows of zeros where there is no photo, (N, D).
    """

    items: tuple[str, ...]
    texts: Sequence[str]
    prices: np.ndarray | None = None
    categories: np.ndarray | None = None
    since: np.ndarray | None = None
    shown: np.ndarray | None = None
    clicked: np.ndarray | None = None
    visual: np.ndarray | None = None
