"""Offline: how many clicks a ranker would have earned in listings that another one showed, with known odds."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from ..evaluation.offpolicy import Logged, snips
from .build import Builder
from .data import Behaviour
from .lessons import Past, learn_from
from .ranker import Ranker


def off_policy(behaviour: Behaviour, ranker: Ranker, builder: Builder, since: float) -> dict[str, Any]:
    """Clicks per product shown that the ranker would have earned, by SNIPS, or why nothing can be said.

    Of each listing the products that were shown are ranked anew. A product that comes to stand where it stood
    counts, divided by the odds it had of standing there; the others count for nothing. So the estimate speaks
    for the places at which both rankers can agree, which exploration widens.

    Args:
        since: listings that were shown later, which the ranker has not learned from; seconds since 1970.

    Returns:
        ``value``, ``low``, ``high`` (None when refused), ``effective``, ``clicks``, ``refused``, and ``logged``,
        the mean of what was really clicked.
    """
    rows = [(one, odds) for one, odds in behaviour.logged if one.at > since]
    if not rows:
        return {"refused": "no listing since then was shown with known odds", "effective": 0.0, "clicks": 0}
    listings = [one for one, _ in rows]
    lessons = learn_from(builder, Past(behaviour.log, behaviour.facts), behaviour.facts, listings)
    stands = []
    for place in range(len(listings)):
        order = np.argsort(-ranker.score(lessons.x[lessons.rows(place)]), kind="stable")
        stands.append(order == np.arange(len(order)))  # the products of a listing come in order of position
    clicked = (lessons.chosen > 0).astype(float)
    groups = np.repeat(lessons.subjects, np.diff(lessons.starts))
    odds = np.concatenate([one for _, one in rows]).astype(float)
    found = snips(Logged(clicked, odds, np.concatenate(stands).astype(float), groups))
    plain = {name: None if _nan(value) else value for name, value in asdict(found).items()}
    return {**plain, "logged": float(clicked.mean()), "listings": len(listings)}


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
