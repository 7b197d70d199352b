"""Train a ranker on consented events, evaluate it and pass it through the gate."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ... import metrics, timestamps
from ...exceptions import InvalidRequest, ShopvisionError
from ...messages import Message
from ...releases import storage
from ..item_model.builder import Builder
from ..item_model.refresh import refresh
from ..models import RankerRelease
from ..ranker_releases import RANKERS, live, open_ranker, promote
from ..rankers.base import PriorRanker, Ranker
from .event_log import Behaviour, read
from .examples import Answered, Lessons, Past, learn_from
from .feature_importance import weighs
from .model_selection import choose, kinds
from .negative_sampling import next_acts
from .off_policy import off_policy
from .position_bias import corrected, examination
from .ranker_evaluation import Judge, Outcome, Parts, parted
from .ranker_gate import gate

PACKAGES = ("shopvision", "numpy", "scipy", "torch", "lightgbm")
LEAST_ACTS = 100  # of visitors who agreed to improvement; fewer say nothing
LEAST_SHOWN = 300  # listings answered; with fewer, listings are made up around what was chosen
MOST_LISTINGS = 12_000  # the latest; more are slower to learn from, not better
SHOWN_PLACES = 24  # whose bias the release's page shows
TRAINED = ("linear", "mlp", "lightgbm")
"""Kinds there are; which of them can be trained here depends on the extras."""
State = RankerRelease.State


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What is learned from and judged by.

    Args:
        listings: oldest first. lessons: of the same. parts: numbers of both.
        looked: how likely each position is looked at; None where the listings are made up around what was chosen.
    """

    behaviour: Behaviour
    listings: Sequence[Answered]
    lessons: Lessons
    parts: Parts
    looked: np.ndarray | None
    builder: Builder

    def judge(self, part: np.ndarray) -> Judge:
        """Judges orders of some of the listings."""
        return Judge(
            self.lessons.take(part),
            [self.listings[one] for one in part],
            self.behaviour.log,
            len(self.behaviour.facts.items),
        )

    @property
    def learned_until(self) -> datetime:
        """When the last listing was shown that the ranker learns from."""
        seen = np.concatenate([self.parts.train, self.parts.validation])
        last = max((self.listings[one].at for one in seen), default=0.0)
        return timestamps.from_seconds(last)


def training(
    *, kind: str = "auto", seed: int = 0, torch: bool = False, user: Any = None, force: bool = False
) -> Generator[Message, None, RankerRelease]:
    """Train a ranker and let it live if the gate says so, in steps: yields what it does next, returns the release.

    The same events, kind and seed give the same ranker; if it is live already nothing changes.

    Args:
        kind: ``auto`` (the best that can be trained here) or one of ``TRAINED``.
        seed: of what is drawn.
        torch: may be imported in this process.
        force: go live even if the gate says no; the reason is kept.

    Raises:
        InvalidRequest: an unknown kind, one that cannot be trained here, or too few events (``too_few_events``).
    """
    there = _kinds(kind, torch)
    yield Message("reading_events")
    behaviour = read()
    yield Message("building_item_model")
    refresh(behaviour)
    if len(behaviour.log) < LEAST_ACTS:
        raise InvalidRequest(
            "too_few_events_to_train", code="too_few_events", count=len(behaviour.log), least_acts=LEAST_ACTS
        )
    yield Message("preparing_listings", {"count": len(behaviour.log)})
    course = _course(behaviour, seed)
    train, validation = (course.lessons.take(part) for part in (course.parts.train, course.parts.validation))
    tried: dict[str, dict[str, float]] = {}
    for one in there:
        yield Message("training_ranker", {"name": one, "count": len(train)})
        found = choose(train, validation, seed=seed, only={one})
        tried[one] = {"ndcg@10": round(found.validated[one], 4), "seconds": found.seconds[one]}
    best = max(tried, key=lambda one: tried[one]["ndcg@10"])
    yield Message("training_final_ranker", {"best": best})
    seen = np.sort(np.concatenate([course.parts.train, course.parts.validation]))
    ranker = kinds()[best](course.lessons.take(seen), seed)
    yield Message("comparing_with_live_ranking")
    return _released(course, ranker, tried, seed=seed, user=user, force=force)


def _kinds(kind: str, torch: bool) -> tuple[str, ...]:
    there = tuple(one for one in TRAINED if one in kinds() and (torch or one != "mlp"))
    if kind == "auto":
        return there
    if kind not in TRAINED:
        raise InvalidRequest("unknown_ranker_kind", kind=kind, names=", ".join(TRAINED))
    if kind not in there:
        raise InvalidRequest("ranker_kind_not_trainable_here", kind=kind)
    return (kind,)


def _course(behaviour: Behaviour, seed: int) -> Course:
    """Real listings where enough were answered, else ones made up around what was chosen."""
    shown = len(behaviour.listings) >= LEAST_SHOWN
    listings: Sequence[Answered] = behaviour.listings[-MOST_LISTINGS:]
    if not shown:
        listings = next_acts(behaviour.log, behaviour.facts, most=MOST_LISTINGS, seed=seed)
    if len(listings) < 3:
        raise InvalidRequest("no_visit_with_two_acts", code="too_few_events")
    builder = Builder(behaviour.log, behaviour.facts)
    past = Past(behaviour.log, behaviour.facts)
    lessons = learn_from(builder, past, behaviour.facts, listings)
    parts = parted(np.array([one.at for one in listings]))
    looked = examination(lessons.take(np.concatenate([parts.train, parts.validation])))
    return Course(behaviour, listings, corrected(lessons, looked), parts, looked if shown else None, builder)


def _released(
    course: Course, ranker: Ranker, tried: Mapping[str, Any], *, seed: int, user: Any, force: bool
) -> RankerRelease:
    """Its row and its file, its measures, and the gate's verdict."""
    artefact, digest = storage.store(RANKERS, ranker.to_bytes())
    before = live()
    if before is not None and before.digest == digest:
        return before
    judge = course.judge(course.parts.test)
    ours = judge.scored(ranker.score)
    others = _others(judge, before, seed)
    verdict = gate(ours, others, judge.subjects, judge.weights, live="live" if "live" in others else "prior")
    measured = {
        **judge.in_numbers(ours),
        "rows": {name: judge.in_numbers(one) for name, one in others.items()},
        "kinds": dict(tried),
        "test": _about(course, judge, ours),
        "compared": verdict.compared,
        "weighs": weighs(ranker, judge, seed=seed),
        "off_policy": off_policy(course.behaviour, ranker, course.builder, course.learned_until.timestamp()),
        "looked": []
        if course.looked is None
        else [round(float(one), 3) for one in course.looked[:SHOWN_PLACES]],
    }
    go = verdict.promote or force
    row = RankerRelease.objects.create(
        kind=ranker.kind,
        state=State.CANDIDATE if go else State.REFUSED,
        reason=verdict.reason
        if verdict.promote or not force
        else Message("forced_live", {"why": verdict.reason}),
        artefact=artefact,
        digest=digest,
        snapshot=course.behaviour.digest,
        data=course.behaviour.about(),
        learned_until=course.learned_until,
        seed=seed,
        versions=storage.versions(PACKAGES),
        metrics=measured,
        created_by=user if getattr(user, "is_authenticated", False) else None,
    )
    metrics.event("ranker_trained", release=str(row), reason=str(row.reason))
    return promote(row, user) if go else row


def _others(judge: Judge, before: RankerRelease | None, seed: int) -> dict[str, Outcome]:
    """What ranks now, and orders that need no training."""
    found = {"prior": judge.scored(PriorRanker().score), **judge.references(seed)}
    if before is not None:
        try:
            found["live"] = judge.scored(open_ranker(before).score)
        except ShopvisionError as error:
            metrics.log.warning("the live ranker cannot be compared: %s", error)
    return found


def _about(course: Course, judge: Judge, ours: Outcome) -> dict[str, Any]:
    return {
        "listings": len(ours.ndcg),
        "subjects": len(np.unique(judge.subjects)),
        "kind": "next acts" if course.looked is None else "shown",
        "cold": int((~np.isnan(ours.cold)).sum()),
        "products": round(float(np.diff(judge.lessons.starts).mean()), 1) if len(ours.ndcg) else 0,
        "trained_on": len(course.parts.train) + len(course.parts.validation),
    }
