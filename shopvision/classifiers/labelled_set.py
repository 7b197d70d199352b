"""Labelled examples, grouped stratified folds and learning-curve subsets."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..encoders.base import Descriptors
from .base import Examples


@dataclass(frozen=True, slots=True)
class Glances:
    """Other looks at photos.

    Args:
        descriptors: blocks by name, float32 (M, d) each.
        rows: number of the example that each is of, int (M,).
    """

    descriptors: Descriptors
    rows: np.ndarray

    def take(self, rows: np.ndarray) -> Glances:
        """Those of some examples (row numbers), which are counted anew."""
        place = np.full(max(int(self.rows.max(initial=-1)), int(rows.max(initial=-1))) + 1, -1)
        place[rows] = np.arange(len(rows))
        kept = np.flatnonzero(place[self.rows] >= 0)
        blocks = {name: block[kept] for name, block in self.descriptors.items()}
        return Glances(blocks, place[self.rows[kept]])


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """What a classifier is trained on.

    Args:
        examples: one row a photo (or a product, where there are only texts).
        labels: names of the labels, at least two.
        targets: number of each example's label, int (N,).
        groups: number of the product each example shows, int (N,); folds are split by it.
        glances: the same photos seen otherwise (``glances.py``), to learn from and never to judge on; None for none.
    """

    examples: Examples
    labels: tuple[str, ...]
    targets: np.ndarray
    groups: np.ndarray
    glances: Glances | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: np.ndarray) -> LabelledSet:
        """Some examples (row numbers); the labels stay."""
        return self._part(rows, self.labels, self.targets[rows])

    def with_labels(self, kept: np.ndarray) -> LabelledSet:
        """The examples of some labels only (numbers, rising), which are counted anew."""
        place = np.full(len(self.labels), -1)
        place[kept] = np.arange(len(kept))
        rows = np.flatnonzero(place[self.targets] >= 0)
        names = tuple(self.labels[label] for label in kept)
        return self._part(rows, names, place[self.targets[rows]])

    def _part(self, rows: np.ndarray, labels: tuple[str, ...], targets: np.ndarray) -> LabelledSet:
        glances = self.glances.take(rows) if self.glances else None
        return LabelledSet(self.examples.take(rows), labels, targets, self.groups[rows], glances)


def stratified_folds(targets: np.ndarray, groups: np.ndarray, folds: int, *, seed: int = 0) -> np.ndarray:
    """The fold of each example, int (N,): whole products, each label spread evenly (``StratifiedGroupKFold``).

    Args:
        folds: two or more; fewer are made where no label has so many examples.

    Raises:
        ValueError: every label has one example.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    count = max(2, min(folds, int(np.bincount(targets).max(initial=0))))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    fold_of = np.zeros(len(targets), int)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # a label with fewer products than folds is judged in some
        for fold, (_, outside) in enumerate(splitter.split(targets, targets, groups)):
            fold_of[outside] = fold
    return fold_of


def folds_of(targets: np.ndarray, groups: np.ndarray, folds: int, *, seed: int = 0) -> np.ndarray:
    """``stratified_folds``, as many as leave every label something to learn from in each.

    A label with two products is judged in two of five folds; so one small label does not cost the others
    their training data.

    Raises:
        ValueError: not even two folds do: a label has one product, or only products with other labels too.
    """
    labels, most = len(np.unique(targets)), int(np.bincount(targets).max(initial=0))
    for count in range(min(max(2, folds), most), 1, -1):
        found = stratified_folds(targets, groups, count, seed=seed)
        if all(len(np.unique(targets[inside])) == labels for inside, _ in splits(found)):
            return found
    raise ValueError("a label has fewer than two products of its own; two are needed")


def splits(folds: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Row numbers to train on and to judge on, fold by fold."""
    for fold in np.unique(folds):
        yield np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)


DRAWS = 4  # parts of a share at least: one part of a quarter of 700 photos is off by 2 points


def parts(targets: np.ndarray, groups: np.ndarray, share: float, *, seed: int = 0) -> list[np.ndarray]:
    """Row numbers of several parts of a share, each with its part of every label's products.

    The set is cut into ``1 / share`` parts that share no product, again with another seed until there are
    ``DRAWS`` parts: every example counts equally often, so that the mean over the parts is even.

    Args:
        targets: int (N,). groups: product of each example, int (N,).
        share: one over a whole number, 1 / 2 at most.
        seed: of the cuts.
    """
    count = round(1 / share)
    found = []
    for cut in range(math.ceil(DRAWS / count)):
        part_of = stratified_folds(targets, groups, count, seed=seed + cut)
        found += [np.flatnonzero(part_of == part) for part in np.unique(part_of)]
    return found
