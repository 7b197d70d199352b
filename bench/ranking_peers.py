"""What our ranker is compared with: popularity, own repeats, item-kNN, EASE, ALS, and no ranker at all."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.purchases import Purchases
from shopvision.ranking.item_model.covisitation import recency
from shopvision.ranking.item_model.ease import Ease
from shopvision.ranking.training.examples import REBUILT_DAYS, Answered, Past
from shopvision.timestamps import SECONDS_A_DAY

RECENT_DAYS = 30
KNN_SHRINK = 10.0  # subjects added to each similarity's base: few shared subjects say little
KNN_HALF_LIFE_DAYS = 60.0
FACTORS, ALS_ROUNDS, ALS_REGULARIZATION, ALS_ALPHA = 64, 15, 0.05, 10.0
SHUFFLE_SEED = 7
Scores = dict[str, list[np.ndarray]]


class Peers:
    """Models of one log, rebuilt weekly from strictly earlier days, as ours are."""

    def __init__(self, data: Purchases, past: Past) -> None:
        self._data, self._past = data, past
        self._ease = Ease(data.log, len(data.facts.items))

    def scores(self, listings: Sequence[Answered], *, start: float, als: bool) -> Scores:
        """Each peer's scores of each listing's products.

        Args:
            listings: of days from ``start`` on.
            start: when the first week begins.
            als: implicit ALS too.
        """
        times = np.array([one.at for one in listings], float)
        weeks = np.floor((times - start) / (REBUILT_DAYS * SECONDS_A_DAY)).astype(int)
        found: dict[int, dict[str, np.ndarray]] = {}
        for week in np.unique(weeks):
            models = _Week(
                self._data, self._ease, start + float(week) * REBUILT_DAYS * SECONDS_A_DAY, als=als
            )
            for place in np.flatnonzero(weeks == week):
                found[int(place)] = self._one(models, listings[int(place)], int(place))
        names = list(found[0]) if found else []
        return {name: [found[place][name] for place in range(len(listings))] for name in names}

    def _one(self, models: _Week, listing: Answered, place: int) -> dict[str, np.ndarray]:
        span = self._past.rows(listing.subject, listing.at)
        acts = self._past.acts.take(np.arange(span.start, span.stop))
        draw = np.random.default_rng([SHUFFLE_SEED, place])
        return {
            **models.scores(listing.items, listing.subject, acts.items, recency(acts.times, listing.at)),
            "shuffle": draw.random(len(listing.items)),
            "no_op": np.zeros(len(listing.items)),
        }


class _Week:
    """Models as of a time."""

    def __init__(self, data: Purchases, ease: Ease, now: float, *, als: bool) -> None:
        log, count = data.log, len(data.facts.items)
        end = int(np.searchsorted(log.times, now))
        recent = int(np.searchsorted(log.times, now - RECENT_DAYS * SECONDS_A_DAY))
        self._popular = np.bincount(log.items[:end], minlength=count)
        self._recent = np.bincount(log.items[recent:end], minlength=count)
        self._ease = _spread(ease.matrix(now), ease.chosen, count)
        gram = ease.gram(now)
        length = np.sqrt(np.diag(gram)) + 1e-6
        self._alike = _spread(gram / (np.outer(length, length) + KNN_SHRINK), ease.chosen, count)
        np.fill_diagonal(self._alike, 0)
        self._factors = _als(log.subjects[:end], log.items[:end], count) if als else None

    def scores(
        self, items: np.ndarray, subject: int, held: np.ndarray, fresh: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Of a listing's products for a subject who had others, ``fresh`` each was."""
        times = np.bincount(held, minlength=len(self._popular))[items]
        recent = self._recent[items] / (1 + self._recent.max())
        mine = np.unique(held)
        newest = np.zeros(len(self._popular))
        np.maximum.at(newest, held, fresh)
        found = {
            "popularity": self._popular[items].astype(float),
            "recent_popularity": recent,
            "repeat": times + recent,
            "item_knn": newest[mine] @ self._alike[np.ix_(mine, items)] + times * 1e-6,
            "ease": self._ease[np.ix_(mine, items)].sum(axis=0) + times * 1e-6,
        }
        if self._factors is not None:
            people, things = self._factors
            found["als"] = things[items] @ people[subject] if subject < len(people) else recent
        return found


def _spread(matrix: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    """A matrix of some items as one of all."""
    if len(chosen) == count:
        return matrix
    out = np.zeros((count, count), np.float32)
    out[np.ix_(chosen, chosen)] = matrix
    return out


def _als(subjects: np.ndarray, items: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors of subjects and items.

    Source: Hu, Koren & Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM 2008.
    """
    sparse: Any = importlib.import_module("scipy.sparse")
    als: Any = importlib.import_module("implicit.als")
    shape = (int(subjects.max(initial=-1)) + 1, count)
    had = sparse.csr_matrix((np.ones(len(items), np.float32), (subjects, items)), shape=shape)
    had.data = 1 + ALS_ALPHA * np.log1p(had.data)
    model = als.AlternatingLeastSquares(
        factors=FACTORS,
        iterations=ALS_ROUNDS,
        regularization=ALS_REGULARIZATION,
        random_state=0,
        num_threads=0,
    )
    model.fit(had, show_progress=False)
    return np.asarray(model.user_factors), np.asarray(model.item_factors)
