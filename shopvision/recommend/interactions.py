"""Interactions and facts: the plain arrays that knowledge is built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .profile import STRENGTHS

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
