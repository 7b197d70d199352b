"""Interactions and facts: the plain arrays that knowledge is built from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Who did something with which item when, in any order; all of one length.

    Args:
        subjects: numbers, int64 (n,).
        visits: numbers, int64 (n,); a visit is of one subject: a session, or a day's purchases.
        items: item numbers, int32 (n,).
        weights: what each says about interest, in views; float32 (n,). See ``profile.STRENGTHS``.
        times: seconds since 1970, float64 (n,).
    """

    subjects: np.ndarray
    visits: np.ndarray
    items: np.ndarray
    weights: np.ndarray
    times: np.ndarray

    def __len__(self) -> int:
        return len(self.items)

    def take(self, rows: np.ndarray) -> Interactions:
        """Some of them, by number or by truth."""
        return Interactions(
            self.subjects[rows], self.visits[rows], self.items[rows], self.weights[rows], self.times[rows]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What the catalogue and the counters say of the items; all as long as ``items``.

    Args:
        items: references as text.
        texts: title and description.
        shown: how often each was shown; float32 (N,), or None where nothing is counted.
        clicked: how often it was clicked of those, as long.
        visual: unit rows, or rows of zeros where there is no photo, (N, D); None without an index.
    """

    items: tuple[str, ...]
    texts: Sequence[str]
    shown: np.ndarray | None = None
    clicked: np.ndarray | None = None
    visual: np.ndarray | None = None
