"""Offline: how many clicks a ranker would have earned in listings that another one showed, with known odds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..evaluation.offpolicy import Estimate, Logged, doubly_robust, snips
from ..vision.classifier import softmax
from ..vision.logistic import fit_logistic
from .build import Builder
from .data import Behaviour
from .lessons import Lessons, Past, learn_from
from .linear import scaled
from .ranker import Ranker
from .scaling import fit_scaling

RIDGE = 1e-3  # of the model that guesses clicks, in the units of a row's loss


def off_policy(behaviour: Behaviour, ranker: Ranker, builder: Builder, since: float) -> dict[str, Any]:
    """Clicks per product shown that the ranker would have earned, or why nothing can be said.

    Of each listing the products that were shown are ranked anew. A product that comes to stand where it stood
    counts, divided by the odds it had of standing there; the others count for nothing (SNIPS), or for what a
    model of clicks guesses of them (doubly robust). So the first speaks for the places at which both rankers
    can agree, which exploration widens; the second for all, as far as the model is right.

    Args:
        since: listings that were shown later, which the ranker has not learned from; seconds since 1970.

    Returns:
        ``value``, ``low``, ``high`` (None when refused), ``effective``, ``clicks``, ``refused``,
        ``doubly_robust`` with the same keys, and ``logged``, the mean of what was really clicked.
    """
    rows = [(one, odds) for one, odds in behaviour.logged if one.at > since]
    if not rows:
        return {"refused": "no listing since then was shown with known odds", "effective": 0.0, "clicks": 0}
    listings = [one for one, _ in rows]
    lessons = learn_from(builder, Past(behaviour.log, behaviour.facts), behaviour.facts, listings)
    orders = _orders(ranker, lessons)
    clicked = (lessons.chosen > 0).astype(float)
    stays = orders == np.arange(len(orders))  # the products of a listing come in order of position
    groups = np.repeat(lessons.subjects, np.diff(lessons.starts))
    odds = np.concatenate([one for _, one in rows]).astype(float)
    guessed, instead = _guesses(lessons, clicked, groups, orders)
    logged = Logged(clicked, odds, stays.astype(float), groups, guessed, instead)
    return {
        **_plain(snips(logged)),
        "doubly_robust": _plain(doubly_robust(logged)),
        "logged": float(clicked.mean()),
        "listings": len(listings),
    }


def _orders(ranker: Ranker, lessons: Lessons) -> np.ndarray:
    """The row that the ranker puts in each row's place, int64 (M,)."""
    found = [np.empty(0, np.int64)]
    for listing in range(len(lessons)):
        rows = lessons.rows(listing)
        found.append(rows.start + np.argsort(-ranker.score(lessons.x[rows]), kind="stable"))
    return np.concatenate(found)


def _guesses(
    lessons: Lessons, clicked: np.ndarray, groups: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Odds of a click on what stood in each place, and on what the other ranker puts there; both (M,).

    A logistic regression on the features and the place. It guesses of half the subjects what it learned of
    the other half, else it would know the clicks it is to be mended by.
    """
    x = scaled(fit_scaling(lessons.x), lessons)
    sizes = np.diff(lessons.starts)
    place = np.arange(len(x)) - np.repeat(lessons.starts[:-1], sizes)
    depth = np.log1p(place)[:, None]
    shown, other = np.hstack([x, depth]), np.hstack([x[orders], depth])
    answers = np.column_stack([1 - clicked, clicked])
    _, number = np.unique(groups, return_inverse=True)
    half = number % 2 == 0
    guessed, instead = np.full((2, len(x)), clicked.mean())
    for mine in (half, ~half):
        if not clicked[~mine].any():
            continue  # the mean says as much
        slopes, intercept = fit_logistic(shown[~mine], answers[~mine], ridge=RIDGE)
        for rows, out in ((shown, guessed), (other, instead)):
            out[mine] = softmax(rows[mine] @ slopes + intercept)[:, 1]
    return guessed, instead


def _plain(found: Estimate) -> Mapping[str, Any]:
    return {name: None if _nan(value) else value for name, value in asdict(found).items()}


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
