"""Evaluate a projection on held-out photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..encoders.projection import Projection, TrainingSet, diverse_products, fit, gallery

FOLDS = 2  # each fold costs a fit
MAX_QUERIES = 1000
MIN_DIVERSE = 8  # products with really different photos, from which photos are held out; else views are


@dataclass(frozen=True, slots=True)
class Judgement:
    """recall@1 of a candidate's recipe and of the current projection, on the same held-out queries.

    Args:
        candidate, current: recall@1, [0, 1].
        queries: how many.
        kind: ``photos`` held out, or ``views`` (augmented) where products have one photo, or ``clicks``.
    """

    candidate: float
    current: float
    queries: int
    kind: str

    @property
    def tie(self) -> bool:
        """Neither found more."""
        return self.candidate == self.current

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def judge(
    training: TrainingSet, current: Projection, *, dim: int, extra: TrainingSet | None = None
) -> Judgement:
    """Fit the recipe without some photos and look for them; the current projection looks for the same.

    Where enough products have really different photos, each fold holds out a share of their photos. Else
    the products are halved: the fit sees one half's augmented views, the queries are the other half's.

    Args:
        extra: photos that the candidate's fit sees as well; no queries, and not in the index. Then the recipe
            without them is what the candidate is compared with, as the current one may have seen the queries.
    """
    diverse = diverse_products(training)
    kind = "photos" if len(diverse) >= MIN_DIVERSE else "views"
    hits = {"candidate": 0, "current": 0}
    total = 0
    for fold in range(FOLDS):
        queries, kept = (
            _photo_fold(training, diverse, fold) if kind == "photos" else _view_fold(training, fold)
        )
        if not len(queries[1]):
            continue
        total += len(queries[1])
        seen = kept if extra is None else joined(kept, extra)
        other = current if extra is None else fit(kept, dim=dim)
        for name, projection in (("candidate", fit(seen, dim=dim)), ("current", other)):
            hits[name] += _found(projection, kept, *queries)
    share = max(total, 1)
    return Judgement(round(hits["candidate"] / share, 4), round(hits["current"] / share, 4), total, kind)


def judge_clicks(
    training: TrainingSet, clicks: TrainingSet, current: Projection, *, dim: int, fresh: np.ndarray
) -> Judgement:
    """Fit with half of the shoppers' photos and look for the product chosen with each photo of the other half.

    The halves share no product: a shopper who tries twice with one photo teaches nothing of the answer. Only
    the shop's own photos are in the index. What was chosen had been found by the projection of that time,
    so the comparison leans towards that one.

    Args:
        clicks: shoppers' photos. fresh: which of them the current projection has not learned from, bool (N,).
    """
    hits = {"candidate": 0, "current": 0}
    fold_of = np.unique(clicks.products, return_inverse=True)[1] % FOLDS
    for fold in range(FOLDS):
        held = clicks.take(np.flatnonzero((fold_of == fold) & fresh))
        if not len(held):
            continue
        seen = joined(training, clicks.take(np.flatnonzero(fold_of != fold)))
        for name, projection in (("candidate", fit(seen, dim=dim)), ("current", current)):
            hits[name] += _found(projection, training, dict(held.descriptors), held.products)
    count = int(fresh.sum())
    share = max(count, 1)
    return Judgement(round(hits["candidate"] / share, 4), round(hits["current"] / share, 4), count, "clicks")


def joined(photos: TrainingSet, more: TrainingSet) -> TrainingSet:
    """Photos with further ones, of which there are no augmented views."""
    return TrainingSet(
        {name: np.concatenate([block, more.descriptors[name]]) for name, block in photos.descriptors.items()},
        np.concatenate([photos.products, more.products]),
        np.concatenate([photos.is_catalogue, more.is_catalogue]),
        photos.blocks,
        photos.augmented,
        photos.augmented_of,
    )


Queries = tuple[dict[str, np.ndarray], np.ndarray]


def _photo_fold(training: TrainingSet, diverse: Sequence[int], fold: int) -> tuple[Queries, TrainingSet]:
    """Every second further photo of diverse products is held out; catalogue images stay."""
    place = np.zeros(len(training), int)
    for product in diverse:
        others = np.flatnonzero((training.products == product) & ~training.is_catalogue)
        place[others] = np.arange(len(others)) % FOLDS + 1
    held = np.flatnonzero(place == fold + 1)[:MAX_QUERIES]
    kept = training.take(np.flatnonzero(place != fold + 1))
    return ({n: b[held] for n, b in training.descriptors.items()}, training.products[held]), kept


def _view_fold(training: TrainingSet, fold: int) -> tuple[Queries, TrainingSet]:
    """Augmented views of every second product are the queries; the fit sees the others' views."""
    if training.augmented is None or training.augmented_of is None:
        return ({}, np.empty(0, int)), training
    owners = training.products[training.augmented_of]
    half = np.unique(owners, return_inverse=True)[1] % FOLDS == fold
    queries = {n: b[half][:MAX_QUERIES] for n, b in training.augmented.items()}
    kept = TrainingSet(
        training.descriptors,
        training.products,
        training.is_catalogue,
        training.blocks,
        {n: b[~half] for n, b in training.augmented.items()},
        training.augmented_of[~half],
    )
    return (queries, owners[half][:MAX_QUERIES]), kept


def _found(
    projection: Projection, kept: TrainingSet, queries: dict[str, np.ndarray], wanted: np.ndarray
) -> int:
    """How many queries have their own product first."""
    vectors = gallery(projection.embed(kept.descriptors), kept.products, kept.is_catalogue)
    similarities = projection.embed(queries) @ vectors.T
    names, place = np.unique(kept.products, return_inverse=True)
    best = np.full((len(similarities), len(names)), -2.0, np.float32)
    np.maximum.at(best.T, place, similarities.T)
    return int((names[best.argmax(axis=1)] == wanted).sum())
