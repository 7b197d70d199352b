"""Evaluate a ranker and reference orders on later listings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...evaluation.bootstrap import mean_interval
from ...evaluation.ranking_metrics import coverage_at, ndcg_at, novelty_at, recall_at, reciprocal_rank
from ..features import PLACE
from ..interactions import Interactions
from .examples import Answered, Lessons

NDCG, RECALL, COLD = "ndcg@10", "recall@20", "cold_ndcg@10"
LEAST_COLD = 20  # listings of which something was chosen that nobody had met; fewer say nothing
TEST, VALIDATION = 0.2, 0.15  # of the listings, the latest and those before


@dataclass(frozen=True, slots=True)
class Parts:
    """Numbers of listings to train on, to choose by, and to judge by; in time's order."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def parted(times: np.ndarray) -> Parts:
    """The latest fifth tests, the 15 % before it validate; equal times stay together with the earlier part."""
    order = np.argsort(times, kind="stable")
    count = len(order)
    test = count - round(TEST * count)
    return Parts(
        order[: test - round(VALIDATION * count)],
        order[test - round(VALIDATION * count) : test],
        order[test:],
    )


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What an order of the same listings is worth, listing by listing; all (G,).

    Args:
        ndcg, recall, mrr: see ``evaluation.ranking``, at 10, 20 and everywhere.
        cold: NDCG@10 of chosen products that nobody had met before; nan where none was chosen.
        tops: item numbers in order, the first ten.
    """

    ndcg: np.ndarray
    recall: np.ndarray
    mrr: np.ndarray
    cold: np.ndarray
    tops: Sequence[np.ndarray]


class Judge:
    """Listings with their answers, to judge orders by.

    Args:
        lessons: with answers weighed against position bias.
        listings: as ``lessons`` holds them.
        log: of all acts, for what was met before.
        catalogue: number of products.
    """

    def __init__(
        self, lessons: Lessons, listings: Sequence[Answered], log: Interactions, catalogue: int
    ) -> None:
        self.lessons, self.listings = lessons, listings
        self._log, self._catalogue = log, catalogue
        self._first = np.full(catalogue, np.inf)
        np.minimum.at(self._first, log.items, log.times)
        start = min((one.at for one in listings), default=np.inf)
        self._met = np.bincount(log.items[log.times < start], minlength=catalogue)
        self.weights = _weights(lessons)

    @property
    def subjects(self) -> np.ndarray:
        """Whose each listing was."""
        return self.lessons.subjects

    def latest(self, most: int) -> Judge:
        """The same of the last listings only."""
        rows = np.arange(len(self.listings))[-most:]
        return Judge(
            self.lessons.take(rows), [self.listings[one] for one in rows], self._log, self._catalogue
        )

    def with_features(self, x: np.ndarray) -> Judge:
        """The same listings and answers with other features, (M, F)."""
        return Judge(replace(self.lessons, x=x), self.listings, self._log, self._catalogue)

    def scored(self, score: Callable[[np.ndarray], np.ndarray]) -> Outcome:
        """Judge the order by falling scores of each listing's features."""
        parts = [score(self.lessons.x[self.lessons.rows(place)]) for place in range(len(self.lessons))]
        return self.ordered([np.argsort(-part, kind="stable") for part in parts])

    def ordered(self, orders: Sequence[np.ndarray]) -> Outcome:
        """Judge orders, by place in each listing."""
        rows: list[tuple[float, float, float, float]] = []
        tops = []
        for one, order in zip(self.listings, orders, strict=True):
            right = one.chosen[order]
            new = right * (self._first[one.items[order]] >= one.at)
            cold = ndcg_at(new, 10) if new.any() else float("nan")
            rows.append((ndcg_at(right, 10), recall_at(right, 20), reciprocal_rank(right), cold))
            tops.append(one.items[order][:10])
        values = np.array(rows, float).reshape(-1, 4)
        return Outcome(values[:, 0], values[:, 1], values[:, 2], values[:, 3], tops)

    def references(self, seed: int) -> dict[str, Outcome]:
        """Orders that need no training: by popularity, by chance, and the one given."""
        rng = np.random.default_rng(seed)
        sizes = [len(one.items) for one in self.listings]
        return {
            "popularity": self.scored(lambda x: x[:, PLACE["popularity"]]),
            "recent_popularity": self.scored(lambda x: x[:, PLACE["recent"]]),
            "shuffle": self.ordered([rng.permutation(size) for size in sizes]),
            "no_op": self.ordered([np.arange(size) for size in sizes]),
        }

    def in_numbers(self, outcome: Outcome) -> dict[str, Any]:
        """Weighed means over the listings, with the interval of the main one, drawing whole subjects.

        ``cold_ndcg@10`` is None where fewer than ``LEAST_COLD`` listings speak for it.
        """
        low, high = mean_interval(outcome.ndcg, self.subjects, weights=self.weights)
        cold = np.flatnonzero(~np.isnan(outcome.cold))
        found = {
            NDCG: mean(outcome.ndcg, self.weights),
            RECALL: mean(outcome.recall, self.weights),
            "mrr": mean(outcome.mrr, self.weights),
            "coverage": coverage_at(outcome.tops, 10, len(self._met)),
            "novelty": novelty_at(outcome.tops, 10, self._met),
            COLD: mean(outcome.cold[cold], self.weights[cold]) if len(cold) >= LEAST_COLD else None,
        }
        plain = {name: value if value is None else round(value, 4) for name, value in found.items()}
        return {**plain, f"{NDCG}_interval": [round(low, 4), round(high, 4)]}


def mean(values: np.ndarray, weights: np.ndarray) -> float:
    """``sum w v / sum w``; 0 without weight."""
    total = float(weights.sum())
    return float(values @ weights) / total if total else 0.0


def _weights(lessons: Lessons) -> np.ndarray:
    """How much each listing's answer counts: the mean of its chosen products' weights, (G,).

    What was chosen far down was chosen although few look there, and stands for those who did not.
    """
    if not len(lessons):
        return np.empty(0)
    given = np.add.reduceat(lessons.chosen * lessons.weights, lessons.starts[:-1])
    plain = np.add.reduceat(lessons.chosen, lessons.starts[:-1])
    return np.asarray(given / np.where(plain > 0, plain, 1), float)
