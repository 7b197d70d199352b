"""The peer of the ranking evaluation: Metarank's feature set, learned by LambdaMART tuned on the validation days."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from bench.purchases import Purchases
from shopvision.evaluation.ranking_metrics import ndcg_at, ranked
from shopvision.ranking.rankers.lambdamart import fit_trees, lightgbm
from shopvision.ranking.training.examples import Answered, Lessons, Past
from shopvision.timestamps import SECONDS_A_DAY

WINDOWS_DAYS = (1, 7, 30, 90)
WORDS = 16  # of a title
WORD = re.compile(r"\w+")
GRID: tuple[dict[str, int], ...] = (
    {"num_leaves": 15, "min_data_in_leaf": 50},
    {"num_leaves": 31, "min_data_in_leaf": 50},
    {"num_leaves": 31, "min_data_in_leaf": 400},
)
ROUNDS = (25, 50, 100)
REMEMBERED = 100  # acts of a subject whose words are remembered, as ``interacted_with`` does


class MetarankFeatures:
    """Metarank's extractors as far as a purchase log has what they read.

    Of the item: ``number`` (price), ``item_age``, ``interaction_count``, ``window_count`` over 1, 7, 30 and 90
    days, counted daily. Of the user: ``interaction_count``, ``window_count``. Of both: ``interacted_with`` by
    category and by sku (how often and how lately), the price against the user's usual and against the
    listing's (``diversity``). No clicks over impressions: the log has no impressions. With ``words``, titles
    are cut into words first, which Metarank does not do, and ``interacted_with`` compares those too.

    Source: docs.metarank.ai, "Feature extractors".
    """

    def __init__(self, data: Purchases, past: Past, *, words: bool) -> None:
        self._data, self._past, self._with_words = data, past, words
        self._times = data.log.times
        vocabulary: dict[str, int] = {}
        self._words = np.full((len(data.facts.items), WORDS), -1)
        for row, text in enumerate(data.facts.texts):
            different = dict.fromkeys(WORD.findall(text.casefold()))
            for place, word in enumerate(list(different)[:WORDS]):
                self._words[row, place] = vocabulary.setdefault(word, len(vocabulary))
        self._vocabulary = len(vocabulary)
        prices = data.facts.prices
        self._prices = np.log(np.where(prices > 0, prices, 1)) if prices is not None else None

    def rows(self, listing: Answered) -> np.ndarray:
        """Features of a listing's products, float32 (L, F)."""
        items, at = listing.items, listing.at
        span = self._past.rows(listing.subject, at)
        acts, times = self._past.acts.items[span], self._past.acts.times[span]
        since = self._data.facts.since
        age = (at - since[items]) / SECONDS_A_DAY if since is not None else np.zeros(len(items))
        columns = [np.log1p(np.maximum(np.nan_to_num(age), 0))]
        columns += [np.log1p(counts[items]) for counts in self._counts(at)]
        user = [np.log1p((times >= at - days * SECONDS_A_DAY).sum()) for days in (7, 30, 90, 10_000)]
        columns += [np.full(len(items), value) for value in user]
        if self._with_words:
            columns += self._same_words(acts[-REMEMBERED:], items)
        columns += self._same_category(acts[-REMEMBERED:], items)
        columns += self._same_item(acts, times, items, at)
        columns += self._price(acts, items)
        return np.stack(columns, axis=1).astype(np.float32)

    @lru_cache(maxsize=8)  # noqa: B019 - a few days, for as long as the features
    def _counts(self, at: float) -> list[np.ndarray]:
        """Purchases of every item in each window before a time, and in all."""
        end = int(np.searchsorted(self._times, at))
        starts = [int(np.searchsorted(self._times, at - days * SECONDS_A_DAY)) for days in WINDOWS_DAYS]
        count = len(self._data.facts.items)
        return [np.bincount(self._data.log.items[start:end], minlength=count) for start in (*starts, 0)]

    def _same_words(self, acts: np.ndarray, items: np.ndarray) -> list[np.ndarray]:
        """Share of a title's words that the user's titles had, and how often they had them, mean and largest."""
        mine = self._words[acts]
        met = np.bincount(mine[mine >= 0], minlength=self._vocabulary + 1)
        words = self._words[items]
        has = words >= 0
        times = np.where(has, met[words], 0) / max(len(acts), 1)
        size = np.maximum(has.sum(axis=1), 1)
        return [((times > 0) & has).sum(axis=1) / size, times.sum(axis=1) / size, times.max(axis=1)]

    def _same_category(self, acts: np.ndarray, items: np.ndarray) -> list[np.ndarray]:
        """How many of the user's items are of the product's category."""
        categories = self._data.facts.categories
        if categories is None or categories.max(initial=-1) < 0:
            return []
        met = np.bincount(categories[acts][categories[acts] >= 0], minlength=int(categories.max()) + 2)
        return [np.log1p(met[categories[items]] * (categories[items] >= 0))]

    def _same_item(
        self, acts: np.ndarray, times: np.ndarray, items: np.ndarray, at: float
    ) -> list[np.ndarray]:
        """How often the user bought it, in log, and how many days ago for the last time."""
        last = np.full(len(self._data.facts.items), -np.inf)
        np.maximum.at(last, acts, times)
        days = np.minimum((at - last[items]) / SECONDS_A_DAY, 400)
        return [np.log1p(np.bincount(acts, minlength=len(last))[items]), np.log1p(days)]

    def _price(self, acts: np.ndarray, items: np.ndarray) -> list[np.ndarray]:
        """The price, against the user's usual, against the listing's."""
        if self._prices is None:
            return []
        price = self._prices[items]
        usual = self._prices[acts].mean() if len(acts) else price.mean()
        return [price, price - usual, price - np.median(price)]


def as_lessons(features: MetarankFeatures, listings: Sequence[Answered], ours: Lessons) -> Lessons:
    """The same listings and answers with the peer's features."""
    return replace(ours, x=np.concatenate([features.rows(one) for one in listings]) if listings else ours.x)


class Peer(NamedTuple):
    """The peer as the validation days chose it.

    Args:
        grid: its parameters. rounds: trees. validated: NDCG@10 there. score: of feature rows.
    """

    grid: dict[str, int]
    rounds: int
    validated: float
    score: Callable[[np.ndarray], np.ndarray]


def fit_lambdamart(
    train: Lessons, validation: Lessons, seed: int, grid: Sequence[Mapping[str, int]] = GRID
) -> Peer:
    """LambdaMART of the sizes in a grid, each judged after ``ROUNDS`` trees on the validation listings."""
    library = lightgbm()
    found = []
    for one in grid:
        text = fit_trees(train.x, train.chosen, train.starts, seed=seed, rounds=max(ROUNDS), **one)
        trees = library.Booster(model_str=text)
        for rounds in ROUNDS:
            score = partial(trees.predict, num_iteration=rounds)
            judged = ndcg(validation, score(validation.x))
            found.append(Peer(dict(one), rounds, judged, score))
    return max(found, key=lambda one: one.validated)


def ndcg(lessons: Lessons, scores: np.ndarray) -> float:
    """Mean NDCG@10 of the scores of all listings' rows."""
    spans = [lessons.rows(listing) for listing in range(len(lessons))]
    return float(np.mean([ndcg_at(ranked(lessons.chosen[span], scores[span]), 10) for span in spans]))
