"""Quality of ranking on a log of purchases: ``python -m bench.ranking --data DIR --json``.

The folder holds events.csv or events.csv.gz (timestamp, user_id, sku, event, and if known quantity and unit_price)
and products.csv. Three months train, the next one chooses, the last one is judged once, by every ranker on the same
listings. ``peers`` in the answer says which optional libraries were compared with, and why others were not.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import bench.django_setup  # noqa: F401 - before models are imported
from bench import command_line
from bench.metarank import GRID, MetarankFeatures, Peer, as_lessons, fit_lambdamart
from bench.optional_peers import OptionalPeers
from bench.purchases import Baskets, Periods, Purchases, periods, read
from bench.ranking_peers import Peers, Scores
from shopvision.evaluation.bootstrap import Ratio, ratio_of_means
from shopvision.evaluation.ranking_metrics import (
    coverage_at,
    ndcg_at,
    novelty_at,
    ranked,
    recall_at,
    reciprocal_rank,
)
from shopvision.exceptions import InvalidRequest
from shopvision.ranking.item_model.builder import Builder
from shopvision.ranking.rankers.base import PriorRanker
from shopvision.ranking.training.examples import Answered, Lessons, Past, joined, learn_from
from shopvision.ranking.training.model_selection import Choice, choose
from shopvision.timestamps import SECONDS_A_DAY

Say = Callable[[str], None]
WAYS = {"new_only": True, "with_repeats": False}
"""What is listed: only products that the visitor never bought, or any."""


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
    "metarank_words_lambdamart",
    "shuffle",
    "no_op",
)
"""In the order shown; ``als`` needs ``implicit``, the two of Metarank's features LightGBM."""
PEERS = {"metarank_lambdamart": False, "metarank_words_lambdamart": True}
OURS = ("prior", "linear", "mlp")  # that validation chooses among; all are served in numpy
Rows = dict[str, list[list[np.ndarray]]]
"""Scores by row, seed and listing."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Listings of one span of days, one way, with what our rankers and the peers see of them."""

    listings: list[Answered]
    lessons: Lessons
    theirs: Mapping[str, Lessons]


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """What one seed trained: ours, and the peers by way and row."""

    ours: Choice
    peers: Mapping[str, Mapping[str, Peer]]


class _Study:
    """A log with all that is made of it once."""

    def __init__(self, data: Purchases, most: int | None) -> None:
        self.data, self.most = data, most
        self.spans: Periods = periods(data.log)
        self.past = Past(data.log, data.facts)
        self.baskets = Baskets(data)
        self.builder = Builder(data.log, data.facts)

    def parts(self, start: int, end: int, *, first: bool, seeds: Sequence[int]) -> dict[str, list[_Part]]:
        """Listings of some days by way and seed; knowledge is built once a week for all of them."""
        drawn = {
            (way, seed): self.baskets.listings(
                start, end, new_only=new, first=first, seed=seed, most=self.most
            )
            for way, new in WAYS.items()
            for seed in seeds
        }
        everything = [one for listings in drawn.values() for one in listings]
        lessons = learn_from(
            self.builder, self.past, self.data.facts, everything, start=start * SECONDS_A_DAY
        )
        found: dict[str, list[_Part]] = {way: [] for way in WAYS}
        place = 0
        for (way, _), listings in drawn.items():
            mine = lessons.take(np.arange(place, place + len(listings)))
            place += len(listings)
            found[way].append(_Part(listings, mine, {}))
        return found

    def with_peers(self, parts: Mapping[str, list[_Part]]) -> dict[str, list[_Part]]:
        """The same with the features of the peers that LightGBM learns."""
        makers = {row: MetarankFeatures(self.data, self.past, words=words) for row, words in PEERS.items()}
        return {
            way: [
                replace(
                    one,
                    theirs={row: as_lessons(make, one.listings, one.lessons) for row, make in makers.items()},
                )
                for one in by_seed
            ]
            for way, by_seed in parts.items()
        }


def evaluate(folder: Path, *, seeds: int, users: int | None, say: Say) -> dict[str, Any]:
    """Train on three months, choose on the next, judge once on the last; every ranker by the same listings.

    The last 31 days of the log test, the 31 before them validate, the 91 before those train; item models are
    rebuilt weekly from strictly earlier days. See ``purchases.Baskets`` for the listings. One ranker of ours
    serves both ways; the peers are trained and tuned for each.

    Args:
        folder: events.csv or events.csv.gz, and products.csv.
        seeds: times everything that is drawn is drawn anew; figures are means.
        users: at most so many baskets train, and of so many users judge; None takes all.

    Raises:
        InvalidRequest: the folder is not one, or its log is too short.
    """
    data = read(folder)
    say(f"{len(data.log)} events of {len(np.unique(data.log.subjects))} users, {len(data.facts.items)} items")
    started = time.perf_counter()
    study = _Study(data, users)
    spans = study.spans
    say("training listings")
    train = study.parts(spans.training, spans.validation, first=False, seeds=[0])
    seconds = time.perf_counter() - started
    say("validation and test listings")
    validation = study.parts(spans.validation, spans.test, first=True, seeds=[0])
    test = study.parts(spans.test, spans.end, first=True, seeds=range(seeds))
    if not all(len(parts[way][0].listings) for parts in (train, validation, test) for way in WAYS):
        raise InvalidRequest(f"{folder}: too few returning users to train, choose and judge on")
    optional = OptionalPeers("lightgbm", "implicit", "torch")
    if optional.usable("lightgbm"):
        train, validation, test = (study.with_peers(parts) for parts in (train, validation, test))
    fitted: list[_Fitted] = []
    for seed in range(seeds):
        say(f"rankers, seed {seed}")
        fitted.append(_fit(train, validation, seed, fitted, optional))
    if not optional.usable("lightgbm"):  # it may have failed at a later seed
        fitted = [replace(one, peers={way: {} for way in WAYS}) for one in fitted]
    rows = _rows(study, test, fitted, optional)
    fit_s = float(np.mean([sum(one.ours.seconds.values()) for one in fitted]))
    return {
        **{way: _table(study, test[way], rows[way]) for way in WAYS},
        "ratio_to_metarank": {
            **_ratios(test, rows, "metarank_lambdamart"),
            "train_s": round(seconds + fit_s, 1),
        },
        "ratio_to_metarank_words": _ratios(test, rows, "metarank_words_lambdamart"),
        "events": len(data.log),
        "listings": {way: sum(len(one.listings) for one in test[way]) for way in WAYS},
        "chosen": _chosen(fitted[0]),
        "peers": optional.status(),
    }


def _fit(
    train: Mapping[str, list[_Part]],
    validation: Mapping[str, list[_Part]],
    seed: int,
    earlier: Sequence[_Fitted],
    optional: OptionalPeers,
) -> _Fitted:
    """All rankers of one seed; the sizes of the peers' trees are those that the first seed chose."""
    ours = choose(
        joined([train[way][0].lessons for way in WAYS]),
        joined([validation[way][0].lessons for way in WAYS]),
        seed=seed,
        only=[kind for kind in OURS if kind != "mlp" or optional.usable("torch")],
    )
    peers: dict[str, dict[str, Peer]] = {way: {} for way in WAYS}
    if optional.usable("lightgbm"):
        with optional.attempt("lightgbm"):
            for way in WAYS:
                for row, lessons in train[way][0].theirs.items():
                    grid = (earlier[0].peers[way][row].grid,) if earlier else GRID
                    peers[way][row] = fit_lambdamart(lessons, validation[way][0].theirs[row], seed, grid)
    return _Fitted(ours, peers)


def _rows(
    study: _Study, test: Mapping[str, list[_Part]], fitted: Sequence[_Fitted], optional: OptionalPeers
) -> dict[str, Rows]:
    """Scores of every ranker that is usable, by way; the simple peers' models serve all seeds."""
    simple = _simple(study, test, optional)
    found: dict[str, Rows] = {way: {row: [] for row in ROWS} for way in WAYS}
    place = 0
    for way in WAYS:
        for part, one in zip(test[way], fitted, strict=True):
            span = slice(place, place + len(part.listings))
            place = span.stop
            scores = {row: by_listing[span] for row, by_listing in simple.items()}
            scores["blend"] = _scores(part.lessons, PriorRanker().score)
            scores["shopvision"] = _scores(part.lessons, one.ours.ranker.score)
            scores |= {row: _scores(part.theirs[row], peer.score) for row, peer in one.peers[way].items()}
            for row, by_listing in scores.items():
                found[way][row].append(by_listing)
    return {way: {row: scores for row, scores in rows.items() if scores} for way, rows in found.items()}


def _simple(study: _Study, test: Mapping[str, list[_Part]], optional: OptionalPeers) -> Scores:
    """Scores of the peers without features; without ALS where ``implicit`` is missing or fails."""
    everything = [one for way in WAYS for part in test[way] for one in part.listings]
    start = study.spans.test * SECONDS_A_DAY
    peers = Peers(study.data, study.past)
    found: Scores = {}
    if optional.usable("implicit"):
        with optional.attempt("implicit"):
            found = peers.scores(everything, start=start, als=True)
    return found or peers.scores(everything, start=start, als=False)


def _scores(lessons: Lessons, score: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
    return [score(lessons.x[lessons.rows(listing)]) for listing in range(len(lessons))]


def _table(study: _Study, tests: Sequence[_Part], rows: Rows) -> dict[str, dict[str, float]]:
    """Means of the measures over all the listings of all seeds, by row."""
    counts = np.bincount(study.data.log.items, minlength=len(study.data.facts.items))
    answer = {}
    for row, scores in rows.items():
        relevance = _in_order(tests, scores, "chosen")
        items = _in_order(tests, scores, "items")
        answer[row] = {
            "ndcg@10": round(float(np.mean([ndcg_at(one, 10) for one in relevance])), 4),
            "recall@20": round(float(np.mean([recall_at(one, 20) for one in relevance])), 4),
            "mrr": round(float(np.mean([reciprocal_rank(one) for one in relevance])), 4),
            "coverage@10": round(coverage_at(items, 10, len(counts)), 4),
            "novelty@10": round(novelty_at(items, 10, counts), 2),
        }
    return answer


def _in_order(tests: Sequence[_Part], scores: Sequence[list[np.ndarray]], what: str) -> list[np.ndarray]:
    """``chosen`` or ``items`` of each listing as ranked."""
    return [
        ranked(getattr(one, what), score)
        for test, by_listing in zip(tests, scores, strict=True)
        for one, score in zip(test.listings, by_listing, strict=True)
    ]


def _ratios(test: Mapping[str, list[_Part]], rows: Mapping[str, Rows], peer: str) -> dict[str, float | None]:
    """Our NDCG@10 over a peer's, with the bounds of its interval over users; None without LightGBM."""
    answer: dict[str, float | None] = {}
    for way in WAYS:
        found: Ratio | None = None
        if peer in rows[way]:
            users = np.concatenate([one.lessons.subjects for one in test[way]])
            ours, theirs = (
                np.array([ndcg_at(one, 10) for one in _in_order(test[way], rows[way][row], "chosen")])
                for row in ("shopvision", peer)
            )
            found = ratio_of_means(ours, theirs, users)
        for end, name in (("", "value"), ("_low95", "low"), ("_high95", "high")):
            answer[way + end] = None if found is None else round(getattr(found, name), 4)
    return answer


def _chosen(fitted: _Fitted) -> dict[str, Any]:
    """What the validation listings decided, of the first seed."""
    return {
        "ranker": fitted.ours.ranker.kind,
        "validated": {kind: round(value, 4) for kind, value in fitted.ours.validated.items()},
        "fit_s": dict(fitted.ours.seconds),
        **{
            f"{row} {way}": {**peer.grid, "rounds": peer.rounds, "validated": round(peer.validated, 4)}
            for way, peers in fitted.peers.items()
            for row, peer in peers.items()
        },
    }


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Read the command line, measure and print."""
    parser = command_line.make_parser("bench.ranking", __doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder of events and products")
    parser.add_argument("--seeds", type=int, default=3, help="times the listings are drawn (default 3)")
    parser.add_argument("--users", type=int, help="train and judge on so many baskets only, to be quick")

    def measure(options: Namespace) -> dict[str, Any]:
        folder = options.data.resolve()
        found = evaluate(folder, seeds=options.seeds, users=options.users, say=command_line.say)
        return {"data": folder.name, **found}

    return command_line.run(parser, measure, arguments)


if __name__ == "__main__":
    main()
