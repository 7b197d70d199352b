"""How well listings are ranked: the measures of ``shopvision_evaluate ranking``, on a log of purchases."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.ranking import (
    bootstrap_ratio,
    coverage_at,
    ndcg_at,
    novelty_at,
    ranked,
    recall_at,
    reciprocal_rank,
)
from ..exceptions import InvalidRequest
from ..recommend.build import Builder
from ..recommend.choose import Choice, choose
from ..recommend.covisitation import SECONDS_A_DAY
from ..recommend.lessons import Answered, Lessons, Past, learn_from
from ..recommend.ranker import PriorRanker
from .metarank import MetarankFeatures, as_lessons, fit_lambdamart
from .purchases import Baskets, Periods, Purchases, periods, read
from .ranking_peers import Peers, Scores, has_als

Say = Callable[[str], None]
WAYS = {"new_only": True, "with_repeats": False}
"""What is listed: only products that the visitor never bought, or any."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Listings of one span of days, one way, with what the rankers see of them."""

    listings: list[Answered]
    lessons: Lessons
    metarank: Lessons


class _Study:
    """A log with all that is made of it once."""

    def __init__(self, data: Purchases, most: int | None) -> None:
        self.data, self.most = data, most
        self.spans: Periods = periods(data.log)
        self.past = Past(data.log, data.facts)
        self.baskets = Baskets(data)
        self.builder = Builder(data.log, data.facts)
        self.theirs = MetarankFeatures(data, self.past)

    def parts(self, start: int, end: int, *, first: bool, seeds: Sequence[int]) -> dict[str, list[_Part]]:
        """Listings of some days, by way and seed; knowledge is built once a week for all of them."""
        drawn = {
            (way, seed): self.baskets.listings(
                start, end, new_only=new, first=first, seed=seed, most=self.most
            )
            for way, new in WAYS.items()
            for seed in seeds
        }
        joined = [one for listings in drawn.values() for one in listings]
        lessons = learn_from(self.builder, self.past, self.data.facts, joined, start=start * SECONDS_A_DAY)
        found: dict[str, list[_Part]] = {way: [] for way in WAYS}
        place = 0
        for (way, _), listings in drawn.items():
            mine = lessons.take(np.arange(place, place + len(listings)))
            place += len(listings)
            found[way].append(_Part(listings, mine, as_lessons(self.theirs, listings, mine)))
        return found


def evaluate(folder: Path, *, seeds: int, users: int | None, say: Say) -> dict[str, Any]:
    """Train on three months, choose on the next, judge once on the last; every ranker by the same listings.

    The last 31 days of the log test, the 31 before them validate, the 91 before those train; item models are
    rebuilt weekly from strictly earlier days. See ``purchases.Baskets`` for the listings.

    Args:
        folder: events.csv or events.csv.gz, and products.csv.
        seeds: times everything that is drawn is drawn anew; figures are means.
        users: at most so many whose baskets judge, and so many baskets train; None takes all.

    Raises:
        InvalidRequest: the folder is not one, or its log is too short.
    """
    data = read(folder)
    say(f"{len(data.log)} events of {len(np.unique(data.log.subjects))} users, {len(data.facts.items)} items")
    started = time.perf_counter()
    study = _Study(data, users)
    built = time.perf_counter() - started
    spans = study.spans
    say("training listings")
    started = time.perf_counter()
    train = study.parts(spans.training, spans.validation, first=False, seeds=[0])
    built += time.perf_counter() - started
    say("validation listings")
    validation = study.parts(spans.validation, spans.test, first=True, seeds=[0])
    say("test listings")
    test = study.parts(spans.test, spans.end, first=True, seeds=range(seeds))
    answer: dict[str, Any] = {"events": len(data.log), "listings": {}, "chosen": {}}
    ratios: dict[str, Any] = {}
    for way in WAYS:
        if not (
            len(train[way][0].listings) and len(validation[way][0].listings) and len(test[way][0].listings)
        ):
            raise InvalidRequest(f"{folder}: too few returning users to train, choose and judge on")
        say(f"rankers, {way.replace('_', ' ')}")
        answer[way], answer["chosen"][way], found = _judge(
            study, train[way][0], validation[way][0], test[way], say
        )
        answer["listings"][way] = sum(len(one.listings) for one in test[way])
        built += found.pop("fit_s")
        ratios |= {f"{way}{end}": value for end, value in found.items()}
    answer["ratio_to_metarank"] = {**ratios, "train_s": round(built, 1)}
    return answer


def _judge(
    study: _Study, train: _Part, validation: _Part, tests: Sequence[_Part], say: Say
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Rows of figures, what was chosen, and the ratio to the peer, of one way."""
    by_row: dict[str, list[list[np.ndarray]]] = {}
    notes: dict[str, Any] = {}
    fit_s = 0.0
    for seed, test in enumerate(tests):
        choice = choose(train.lessons, validation.lessons, seed=seed)
        fit_s += sum(choice.seconds.values()) / len(tests)
        scores = _peers(study, test)
        scores["shopvision"] = _scores(test.lessons, choice.ranker.score)
        notes = _ours(choice)
        if find_spec("lightgbm") is not None:
            peer = fit_lambdamart(train.metarank, validation.metarank, seed)
            scores["metarank_lambdamart"] = _scores(test.metarank, peer.score)
            notes["metarank"] = {
                "learner": peer.learner,
                **peer.chosen,
                "validated": round(peer.validated, 4),
            }
        for name, rows in scores.items():
            by_row.setdefault(name, []).append(rows)
        say(f"seed {seed}: {choice.ranker.kind}")
    found = {name: _figures(tests, by_row[name], study) for name in ROWS if name in by_row}
    ratio = _ratio(tests, by_row) | {"fit_s": fit_s}
    return found, notes, ratio


ROWS = (
    "shopvision",
    "popularity",
    "recent_popularity",
    "repeat",
    "item_knn",
    "ease",
    "als",
    "blend",
    "metarank_lambdamart",
    "shuffle",
    "no_op",
)


def _peers(study: _Study, test: _Part) -> Scores:
    peers = Peers(study.data, study.past)
    found = peers.scores(test.listings, start=study.spans.test * SECONDS_A_DAY, als=has_als())
    found["blend"] = _scores(test.lessons, PriorRanker().score)
    return found


def _scores(lessons: Lessons, score: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
    return [score(lessons.x[lessons.rows(listing)]) for listing in range(len(lessons))]


def _figures(tests: Sequence[_Part], scores: Sequence[list[np.ndarray]], study: _Study) -> dict[str, float]:
    """Means over all the listings of all seeds."""
    rows, orders = [], []
    for test, by_listing in zip(tests, scores, strict=True):
        for one, score in zip(test.listings, by_listing, strict=True):
            rows.append(ranked(one.chosen, score))
            orders.append(ranked(one.items, score))
    counts = np.bincount(study.data.log.items, minlength=len(study.data.facts.items))
    return {
        "ndcg@10": round(float(np.mean([ndcg_at(row, 10) for row in rows])), 4),
        "recall@20": round(float(np.mean([recall_at(row, 20) for row in rows])), 4),
        "mrr": round(float(np.mean([reciprocal_rank(row) for row in rows])), 4),
        "coverage@10": round(coverage_at(orders, 10, len(counts)), 4),
        "novelty@10": round(novelty_at(orders, 10, counts), 2),
    }


def _ratio(tests: Sequence[_Part], by_row: Mapping[str, list[list[np.ndarray]]]) -> dict[str, float | None]:
    """Ours over the peer's, with the bounds of its interval over users; None without LightGBM."""
    if "metarank_lambdamart" not in by_row:
        return {"": None, "_low95": None, "_high95": None}
    users = np.concatenate([one.lessons.subjects for one in tests])
    ours, theirs = (
        np.array(
            [
                ndcg_at(ranked(one.chosen, score), 10)
                for test, by_listing in zip(tests, by_row[name], strict=True)
                for one, score in zip(test.listings, by_listing, strict=True)
            ]
        )
        for name in ("shopvision", "metarank_lambdamart")
    )
    found = bootstrap_ratio(ours, theirs, users)
    return {"": round(found.value, 4), "_low95": round(found.low, 4), "_high95": round(found.high, 4)}


def _ours(choice: Choice) -> dict[str, Any]:
    """What the validation listings decided, of the last seed."""
    return {
        "ranker": choice.ranker.kind,
        "validated": {kind: round(value, 4) for kind, value in choice.validated.items()},
        "fit_s": dict(choice.seconds),
    }
