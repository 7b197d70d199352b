"""Candidate heads per modality: photo, text and their fusion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, cast

import numpy as np

from ..encoders.projection import principal
from .cross_validation import Table, Trained, Unheard, Voice, leave_labels_out, train
from .dimensionality_reduction import Reduction, compact, fit_reduction
from .fusion import FusedHead, fuse
from .heads import Head, Landmarks, LinearHead, Prototypes
from .labelled_set import LabelledSet
from .open_set import OpenSet, features
from .temperature_scaling import log_loss
from .text import TextHead, Vocabulary, fit_vocabulary

MOST_ROW = 1024  # dimensions heads are trained in
FUSION_STEPS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # weights tried for each modality's scores


@dataclass(frozen=True)
class Side(ABC):
    """One modality: its examples as rows, and how a head trained on the rows is made into one on examples.

    Args:
        labels: names.
        table: the rows, turned into few dimensions.
        turn: raw rows to the table's, (D, d).
    """

    labels: tuple[str, ...]
    table: Table
    turn: np.ndarray

    @abstractmethod
    def head(
        self, trained: Trained, voice: Voice, open_set: OpenSet, recipe: dict[str, Any]
    ) -> Prototypes | LinearHead | TextHead:
        """The head on examples."""


@dataclass(frozen=True)
class PhotoSide(Side):
    """Descriptors."""

    reduction: Reduction

    def of(self, kind: str) -> PhotoSide:
        """What a kind of head learns from: prototypes from the photos as they are.

        The mean of a few photos moves to their own glances. (Five frames of a film a label: out of fold 80 %
        right, on new photos 78, and their calibration error 0.052 -> 0.082; of a linear head 0.053 -> 0.054.)
        """
        if kind != "prototypes":
            return self
        return replace(self, table=replace(self.table, glances=None, glance_of=None))

    def head(
        self, trained: Trained, voice: Voice, open_set: OpenSet, recipe: dict[str, Any]
    ) -> Prototypes | LinearHead | TextHead:
        """Prototypes or a linear head, folded into one matrix a block."""
        space, centres = compact(self.table.rows, trained.space, trained.centres)
        folded = self.reduction.fold(self.turn @ space, np.zeros(space.shape[1]))
        landmarks = Landmarks(folded, centres.astype(np.float32))
        if trained.slopes is None or trained.intercepts is None:
            return Prototypes(self.labels, landmarks, voice.lean, open_set, recipe)
        logits = self.reduction.fold(self.turn @ trained.slopes, trained.intercepts)
        return LinearHead(self.labels, logits, (voice.scale, voice.lean), landmarks, open_set, recipe)


@dataclass(frozen=True)
class TextSide(Side):
    """Titles and descriptions."""

    vocabulary: Vocabulary
    silent: np.ndarray

    def head(
        self, trained: Trained, voice: Voice, open_set: OpenSet, recipe: dict[str, Any]
    ) -> Prototypes | LinearHead | TextHead:
        """A text head."""
        slopes, intercepts = cast(np.ndarray, trained.slopes), cast(np.ndarray, trained.intercepts)
        centres = trained.centres @ self.turn.T
        return TextHead(
            self.labels,
            self.vocabulary,
            self.turn @ slopes,
            intercepts,
            voice.scale,
            centres,
            open_set,
            recipe,
        )


def photo_side(training: LabelledSet, folds: np.ndarray, balance: float) -> PhotoSide:
    """The photos' blocks, reduced without looking at labels."""
    descriptors, glances = training.examples.descriptors or {}, training.glances
    reduction = fit_reduction(descriptors)
    rows = reduction.rows(descriptors)
    turn = principal(rows, min(MOST_ROW, *rows.shape))
    table = _table(training, rows @ turn, folds, balance, True)
    if glances is not None and len(glances.rows):
        table = replace(table, glances=reduction.rows(glances.descriptors) @ turn, glance_of=glances.rows)
    return PhotoSide(training.labels, table, turn, reduction)


def text_side(training: LabelledSet, folds: np.ndarray, balance: float) -> TextSide:
    """The texts' terms, chosen without looking at labels."""
    texts = training.examples.texts or ()
    vocabulary = fit_vocabulary(texts)
    rows = vocabulary.rows(texts)
    turn = principal(rows, min(MOST_ROW, *rows.shape))
    table = _table(training, rows @ turn, folds, balance, False)
    return TextSide(training.labels, table, turn, vocabulary, np.asarray(~rows.any(axis=1)))


def _table(training: LabelledSet, rows: np.ndarray, folds: np.ndarray, balance: float, spread: bool) -> Table:
    count = len(training.labels)
    share = np.bincount(training.targets, minlength=count) / len(training)
    weights = (1 / (count * share[training.targets])) ** balance
    return Table(rows, training.targets, count, folds, weights, spread)


class Candidate(ABC):
    """A head that might be released."""

    kind: str

    @property
    @abstractmethod
    def scores(self) -> np.ndarray:
        """Calibrated logits out of fold, (N, C)."""

    @property
    @abstractmethod
    def loss(self) -> float:
        """Log-loss out of fold."""

    @property
    @abstractmethod
    def chosen(self) -> dict[str, Any]:
        """Settings that cross-validation preferred."""

    @abstractmethod
    def looks(self) -> tuple[np.ndarray, np.ndarray]:
        """``open_set.features`` where labels had been left out, (M, F), and whether each label was known."""

    @abstractmethod
    def head(self, open_set: OpenSet) -> Head:
        """Trained on everything."""


@dataclass(frozen=True)
class Single(Candidate):
    """Photos alone, or texts alone."""

    side: Side
    voice: Voice

    @property
    def kind(self) -> str:  # type: ignore[override]
        """The voice's."""
        return self.voice.kind

    @property
    def scores(self) -> np.ndarray:
        """Scaled logits."""
        return self.voice.scores

    @property
    def loss(self) -> float:
        """The voice's."""
        return self.voice.loss

    @property
    def chosen(self) -> dict[str, Any]:
        """How it was trained, and on how many examples."""
        return {**asdict(self.voice.setting), "examples": len(self.side.table.targets)}

    @cached_property
    def unheard(self) -> Unheard:
        """What it says when labels are left out."""
        return leave_labels_out(self.side.table, self.voice.setting)

    def looks(self) -> tuple[np.ndarray, np.ndarray]:
        """From the scaled logits and the nearness."""
        turns = [features(self.voice.score(one), one.nearness) for one in self.unheard.said]
        return _joined(turns, self.unheard)

    def head(self, open_set: OpenSet) -> Prototypes | LinearHead | TextHead:
        """Trained on every row."""
        table = self.side.table
        everything = np.arange(len(table.targets))
        trained = train(table, self.voice.setting, everything, table.targets, table.count)
        return self.side.head(trained, self.voice, open_set, self.chosen)


@dataclass(frozen=True)
class Fused(Candidate):
    """Photos and texts together."""

    photo: Single
    text: Single
    silent: np.ndarray
    weights: tuple[float, float]
    kind = "fused"

    @property
    def scores(self) -> np.ndarray:
        """The weighted sum."""
        return fuse(self.photo.scores, self.text.scores, self.silent, self.weights)

    @property
    def loss(self) -> float:
        """Of the weighted sum."""
        return log_loss(self.scores, self.photo.side.table.targets)

    @property
    def chosen(self) -> dict[str, Any]:
        """The weights, and what each of the two was trained with."""
        weights = dict(zip(("photo", "text"), self.weights, strict=True))
        return {"weights": weights, "photo": self.photo.chosen, "text": self.text.chosen}

    def looks(self) -> tuple[np.ndarray, np.ndarray]:
        """From the fused logits and the photo's nearness."""
        photo, text = self.photo.unheard, self.text.unheard
        turns = []
        for one, other, rows in zip(photo.said, text.said, photo.rows, strict=True):
            first, second = self.photo.voice.score(one), self.text.voice.score(other)
            turns.append(features(fuse(first, second, self.silent[rows], self.weights), one.nearness))
        return _joined(turns, photo)

    def head(self, open_set: OpenSet) -> FusedHead:
        """Both heads."""
        photo, text = self.photo.head(OpenSet()), self.text.head(OpenSet())
        return FusedHead(
            cast(Prototypes | LinearHead, photo), cast(TextHead, text), self.weights, open_set, self.chosen
        )


def _joined(turns: list[np.ndarray], unheard: Unheard) -> tuple[np.ndarray, np.ndarray]:
    if not turns:
        return np.empty((0, 3)), np.empty(0, bool)
    return np.concatenate(turns), np.concatenate(unheard.known)


def fuse_best(photo: Single, text: Single) -> Fused:
    """The two with the weights that give the least log-loss out of fold."""
    silent = cast(TextSide, text.side).silent
    pairs = [pair for pair in product(FUSION_STEPS, FUSION_STEPS) if any(pair)]
    return min((Fused(photo, text, silent, pair) for pair in pairs), key=lambda one: one.loss)
