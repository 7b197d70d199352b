"""Off-policy evaluation of rankers: SNIPS and doubly robust estimates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...classifiers.base import softmax
from ...classifiers.logistic import fit_logistic
from ...evaluation.bootstrap import ratio_interval
from ...messages import Message
from ..item_model.builder import Builder
from ..rankers.base import Ranker
from ..rankers.feature_scaling import fit_scaling
from ..rankers.linear import scaled
from .event_log import Behaviour
from .examples import Lessons, Past, learn_from

LEAST_EFFECTIVE = 500.0
LEAST_CLICKS = 50
"""Below either the interval says more about luck than about the rankers, so no number is given."""
CLIP = 100.0  # largest weight: one lucky click must not decide


@dataclass(frozen=True, slots=True, eq=False)
class Logged:
    """Products that were shown, one a row; all of one length.

    Args:
        rewards: what came of it, such as 1 for a click; (n,).
        propensities: probability with which the logging ranker showed this there, in (0, 1]; (n,).
        targets: probability with which the other ranker would have; (n,).
        groups: whom it was shown to; rows of one group err together; (n,).
        predicted: a model's guess of each reward, (n,); None without a model (then DR is not given).
        predicted_other: the guess for what the other ranker would have shown instead,
            ``sum_a target(a) q(a)``; (n,).
    """

    rewards: np.ndarray
    propensities: np.ndarray
    targets: np.ndarray
    groups: np.ndarray
    predicted: np.ndarray | None = None
    predicted_other: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, or why there is none.

    Args:
        value, low, high: nan when refused.
        effective: effective sample size, ``(sum w)^2 / sum w^2``.
        clicks: rows with a reward that the other ranker might have shown.
        refused: the reason, or nothing.
    """

    value: float
    low: float
    high: float
    effective: float
    clicks: int
    refused: Message | None = None


def importance(logged: Logged, clip: float = CLIP) -> np.ndarray:
    """``min(target / propensity, clip)`` of each row.

    Raises:
        ValueError: a propensity is not in (0, 1], or a target not in [0, 1].
    """
    fine = (logged.propensities > 0) & (logged.propensities <= 1)
    if not fine.all() or ((logged.targets < 0) | (logged.targets > 1)).any():
        raise ValueError("propensities lie in (0, 1] and targets in [0, 1]")
    return np.asarray(np.minimum(logged.targets / logged.propensities, clip))


def effective_sample(weights: np.ndarray) -> float:
    """``(sum w)^2 / sum w^2``: how many rows of equal weight would say as much; 0 without weight.

    Source: Kish, "Survey Sampling", 1965.
    """
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def snips(logged: Logged, *, clip: float = CLIP, level: float = 0.95, seed: int = 0) -> Estimate:
    """Reward of the other ranker per row shown, ``sum w r / sum w``.

    Source: Swaminathan & Joachims, "The self-normalized estimator for counterfactual learning", NIPS 2015.
    """
    weights = importance(logged, clip)
    return _estimate(weights * logged.rewards, weights, logged, weights, level, seed)


def doubly_robust(logged: Logged, *, clip: float = CLIP, level: float = 0.95, seed: int = 0) -> Estimate:
    """The model's guess, mended by what was seen: ``mean(q_other + w (r - q))``.

    Right if either the propensities or the model is.

    Raises:
        ValueError: no model's guesses are given.

    Source: Dudik, Langford & Li, "Doubly robust policy evaluation and learning", ICML 2011.
    """
    if logged.predicted is None or logged.predicted_other is None:
        raise ValueError("a doubly robust estimate needs a model's guesses")
    weights = importance(logged, clip)
    rows = logged.predicted_other + weights * (logged.rewards - logged.predicted)
    return _estimate(rows, np.ones(len(rows)), logged, weights, level, seed)


def _estimate(
    top: np.ndarray, bottom: np.ndarray, logged: Logged, weights: np.ndarray, level: float, seed: int
) -> Estimate:
    """``sum top / sum bottom`` with a percentile bootstrap over whole groups, or a refusal."""
    effective, clicks = effective_sample(weights), int(((logged.rewards > 0) & (weights > 0)).sum())
    refused = _refusal(effective, clicks)
    if refused:
        return Estimate(float("nan"), float("nan"), float("nan"), effective, clicks, refused)
    low, high = ratio_interval(top, bottom, logged.groups, level=level, seed=seed)
    return Estimate(float(top.sum() / bottom.sum()), low, high, effective, clicks)


def _refusal(effective: float, clicks: int) -> Message | None:
    if effective < LEAST_EFFECTIVE:
        needed = {"effective": f"{effective:.0f}", "least": f"{LEAST_EFFECTIVE:.0f}"}
        return Message("effective_sample_too_small", needed)
    if clicks < LEAST_CLICKS:
        return Message("too_few_clicks", {"clicks": clicks, "least": LEAST_CLICKS})
    return None


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
        return {"refused": Message("no_listing_with_propensities"), "effective": 0.0, "clicks": 0}
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
    _, number = np.unique(groups, return_inverse=True)
    half = number % 2 == 0
    guessed, instead = np.full((2, len(x)), clicked.mean())
    for mine in (half, ~half):
        if len(np.unique(clicked[~mine])) < 2:
            continue  # the mean says as much
        slopes, intercept = fit_logistic(shown[~mine], clicked[~mine].astype(int), 2, ridge=RIDGE)
        for rows, out in ((shown, guessed), (other, instead)):
            out[mine] = softmax(rows[mine] @ slopes + intercept)[:, 1]
    return guessed, instead


def _plain(found: Estimate) -> Mapping[str, Any]:
    return {name: None if _nan(value) else value for name, value in asdict(found).items()}


def _nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
