"""Outcomes of the live ranker: release metrics, newest experiment, off-policy estimate."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from .. import conf, timestamps
from ..exceptions import ShopvisionError
from ..privacy.small_groups import LEAST_SUBJECTS, is_too_small, withheld_below
from .experiments import ARMS, Difference, results
from .item_model.builder import Builder
from .models import Experiment, RankerRelease
from .ranker_releases import live, open_ranker
from .training.event_log import Behaviour, read
from .training.off_policy import off_policy

MEASURES = (
    "ndcg@10",
    "ndcg@10_interval",
    "recall@20",
    "mrr",
    "coverage",
    "novelty",
    "cold_ndcg@10",
    "compared",
)


def evaluate_rankers() -> dict[str, Any]:
    """The live ranker's figures, as far as they speak of ``LEAST_SUBJECTS`` visitors or more.

    Returns:
        ``live`` (its name, or None while the untrained blend ranks), ``release`` (what its gate measured on later
        listings than it learned from), ``experiment`` (visitors and outcomes by arm) and ``off_policy`` (clicks
        per product shown since, that the live ranker would have earned). Each part without enough data is a
        record with ``missing`` alone: how many of what are lacking.
    """
    row = live()
    return {
        "live": None if row is None else str(row),
        "privacy_mode": conf.PRIVACY_MODE,
        "release": _release(row),
        "experiment": _experiment(Experiment.objects.first()),
        "off_policy": _off_policy(row),
    }


def _release(row: RankerRelease | None) -> dict[str, Any]:
    if row is None:
        return {"missing": {"trained ranker": 1}}
    test = row.metrics.get("test") or {}
    visitors = int(test.get("subjects", 0))
    if is_too_small(visitors):
        return {"missing": {"visitors": LEAST_SUBJECTS}}
    return {
        "kind": row.kind,
        "learned_until": timestamps.as_text(row.learned_until),
        "listings": test.get("listings"),
        "visitors": visitors,
        "listings_are": test.get("kind"),
        "simulated_events": row.data.get("simulated", 0),
        **{name: row.metrics[name] for name in MEASURES if name in row.metrics},
    }


def _experiment(row: Experiment | None) -> dict[str, Any]:
    """Visitors and outcomes of each arm; an arm of a few visitors, and an outcome of a few, are withheld."""
    if row is None:
        return {"missing": {"experiment": 1}}
    found = results(row)
    seen = found[0].seen
    arms = [arm for arm in ARMS if not is_too_small(seen[arm])]
    if not arms:
        return {"missing": {"visitors": LEAST_SUBJECTS}}
    return {
        "name": row.name,
        "state": row.state,
        "simulated": row.simulated,
        "visitors": {arm: seen[arm] for arm in arms},
        "outcomes": {
            one.outcome: {
                "done": {arm: withheld_below(one.done[arm]) for arm in arms},
                "differences": {
                    f"{ours} - {theirs}": _plain(difference)
                    for (ours, theirs), difference in one.differences.items()
                    if not math.isnan(difference.low)  # it takes more than ``LEAST_SUBJECTS`` of each
                },
            }
            for one in found
        },
    }


def _plain(difference: Difference) -> dict[str, Any]:
    return {name: round(value, 4) for name, value in asdict(difference).items()} | {"sure": difference.sure}


def _off_policy(row: RankerRelease | None) -> dict[str, Any]:
    """Estimate from listings shown since the ranker learned, with known odds, to visitors who agreed to it."""
    if row is None:
        return {"missing": {"trained ranker": 1}}
    behaviour = read()
    since = row.learned_until.timestamp()
    visitors, clicked = _visitors_since(behaviour, since)
    if is_too_small(visitors):
        return {"missing": {"visitors": LEAST_SUBJECTS}}
    if is_too_small(clicked):
        return {"missing": {"visitors who clicked": LEAST_SUBJECTS}}
    try:
        ranker = open_ranker(row)
    except ShopvisionError as error:
        return {"refused": str(error)}
    return {
        "visitors": visitors,
        **off_policy(behaviour, ranker, Builder(behaviour.log, behaviour.facts), since),
    }


def _visitors_since(behaviour: Behaviour, since: float) -> tuple[int, int]:
    """Visitors of the listings that an off-policy estimate can use, and how many of them chose something there."""
    listings = [one for one, _ in behaviour.logged if one.at > since]
    chose = {one.subject for one in listings if one.chosen.any()}
    return len({one.subject for one in listings}), len(chose)
