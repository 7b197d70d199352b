"""EASE: item-item ridge regression for recommendation."""

from __future__ import annotations

import numpy as np

from ..interactions import Interactions
from .neighbours import WIDTH, Neighbours, from_matrix

MOST_ITEMS = 8192  # inverted at once: 256 MB and some seconds; the items that most subjects have
SMALL = 1000  # items up to which all are looked at
LEAST_SUBJECTS = 10
"""Beyond ``SMALL``, an item that fewer have is left out: on online-retail that cost nothing (validated NDCG@10 .255
against .253, .430 against .429) and saved three quarters of the time."""
RIDGE = 200.0  # per item, in subjects
SUBJECTS_AT_ONCE = 2048


class Ease:
    """The ridge regressions of a log, as of several times; each is quicker after an earlier one.

    X has a row of ones and noughts for each subject: the items they have. ``chosen`` are the items that most
    subjects have, at most ``MOST_ITEMS``, rising; the others are not looked at.
    """

    def __init__(self, log: Interactions, count: int, *, ridge: float = RIDGE) -> None:
        self._count, self._ridge = count, ridge
        held, place = np.unique(
            log.subjects.astype(np.int64) * max(count, 1) + log.items, return_inverse=True
        )
        self._since = np.full(len(held), np.inf)
        np.minimum.at(self._since, place, log.times)
        _, self._subjects = np.unique(held // max(count, 1), return_inverse=True)
        self._items = held % max(count, 1)
        most = np.argsort(-np.bincount(self._items, minlength=count), kind="stable")[:MOST_ITEMS]
        self.chosen = np.sort(most)
        column = np.full(count, -1)
        column[self.chosen] = np.arange(len(self.chosen))
        self._columns = column[self._items]
        self._gram = np.zeros((len(self.chosen),) * 2, np.float32)
        self._now = -np.inf

    def at(self, now: float, width: int = WIDTH) -> Neighbours:
        """The heaviest weights of each item; see ``matrix``."""
        found = from_matrix(self.matrix(now), width)
        ids = np.full((self._count, found.ids.shape[1]), -1, np.int32)
        weights = np.zeros(ids.shape, np.float32)
        ids[self.chosen] = np.where(found.ids >= 0, self.chosen[found.ids], -1)
        weights[self.chosen] = found.weights
        return Neighbours(ids, weights)

    def matrix(self, now: float) -> np.ndarray:
        """Weights with which having one of the ``chosen`` predicts another, from what was had before a time.

        With ``P = (X'X + ridge I)^-1``: ``B_ij = -P_ij / P_jj``, and 0 on the diagonal. Row i of B holds what
        item i predicts. See ``LEAST_SUBJECTS`` for those left out.

        Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.
        """
        gram = self.gram(now)
        held = np.flatnonzero(np.diag(gram) >= (LEAST_SUBJECTS if len(gram) > SMALL else 1))
        part = gram[np.ix_(held, held)]
        part[np.diag_indices_from(part)] += self._ridge
        inverse = np.linalg.inv(part)
        weights = -inverse / np.diag(inverse)
        weights[np.diag_indices_from(weights)] = 0
        found = np.zeros_like(gram)
        found[np.ix_(held, held)] = weights
        return found

    def gram(self, now: float) -> np.ndarray:
        """How many subjects had both of two of the ``chosen`` before a time, ``X'X``, float32."""
        self._move_to(now)
        return self._gram.copy()

    def _move_to(self, now: float) -> None:
        """Add to ``X'X`` what subjects came to have since the last time: only their rows are multiplied."""
        if now < self._now:
            self._gram[:], self._now = 0, -np.inf
        newly = (self._since >= self._now) & (self._since < now)
        changed = np.unique(self._subjects[newly])
        for start in range(0, len(changed), SUBJECTS_AT_ONCE):
            part = changed[start : start + SUBJECTS_AT_ONCE]
            for end, sign in ((self._now, -1), (now, 1)):
                rows = self._rows(part, end)
                self._gram += sign * (rows.T @ rows)
        self._now = now

    def _rows(self, subjects: np.ndarray, end: float) -> np.ndarray:
        """X of some subjects (sorted) before a time, float32."""
        mine = np.isin(self._subjects, subjects) & (self._since < end) & (self._columns >= 0)
        rows = np.zeros((len(subjects), len(self.chosen)), np.float32)
        rows[np.searchsorted(subjects, self._subjects[mine]), self._columns[mine]] = 1
        return rows
