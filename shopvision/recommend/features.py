"""features: knowledge, profile and candidates -> the ranker's input; one function trains and serves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .candidates import Candidates
from .knowledge import Knowledge
from .neighbours import Neighbours
from .profile import Profile

SIGNALS = ("next", "after", "together", "ease")
SPACES = ("text", "visual")
FEATURES = (
    *(f"{name}_sum" for name in SIGNALS),
    *(f"{name}_best" for name in SIGNALS),
    *(f"{name}_{way}" for name in SPACES for way in ("mean", "best")),
    "popularity",
    "recent",
    "trend",
    "ctr",
    "seen",
    "seen_lately",
    "comes_back",
    "price_gap",
    "category",
    "fresh",
    "known",
    "position",
)
"""Columns in their order: what follows the profile's products, likeness to them, popularity over half a year, a
month and a week, click rate, what was had before, distance in price, share of the category, newness, whether the
knowledge holds the product, and the shop's own order."""
PLACE = {name: column for column, name in enumerate(FEATURES)}
HALF_LIFE_DAYS = 7.0  # in which what was done last loses half its say against what was done before
FRESH_DAYS = 30.0
POSITIONS = 20.0


class _Looked(NamedTuple):
    """A profile as the features use it."""

    profile: Profile
    say: np.ndarray  # of each act, sums to 1 where there is any


def features(knowledge: Knowledge, profile: Profile, candidates: Candidates) -> np.ndarray:
    """What the ranker sees of each candidate, float32 (L, F), columns as ``FEATURES``.

    Everything is finite, and 0 where nothing is known. Nothing depends on the order of the candidates but
    ``position``.
    """
    length = len(candidates)
    out = np.zeros((length, len(FEATURES)), np.float32)
    if not length:
        return out
    looked = _Looked(profile, _say(profile))
    known = (candidates.numbers >= 0) & (candidates.numbers < len(knowledge))
    _fill_neighbours(out, knowledge, looked, candidates)
    for name in SPACES:
        _fill_content(out, name, knowledge, looked, candidates, known)
    _fill_columns(out, knowledge, candidates, known)
    _fill_repeats(out, knowledge, looked, candidates, known)
    _fill_facts(out, looked, candidates, known)
    return out


def _say(profile: Profile) -> np.ndarray:
    """How much each act counts: its strength, halved each week it is older than the newest."""
    if not len(profile):
        return np.empty(0, np.float32)
    age = profile.ages_days - profile.ages_days.min()
    weight = profile.strengths * np.exp2(-age / HALF_LIFE_DAYS)
    total = weight.sum()
    return np.asarray(weight / total if total > 0 else weight, np.float32)


def _fill_neighbours(out: np.ndarray, knowledge: Knowledge, looked: _Looked, candidates: Candidates) -> None:
    """``sum`` and ``best`` over the profile's products of the weight with which they point at a candidate."""
    held = looked.profile.items
    rows = np.flatnonzero((held >= 0) & (held < len(knowledge)) & (looked.say > 0))
    if not len(rows):
        return
    items, first = np.unique(held[rows], return_inverse=True)
    say = np.bincount(first, looked.say[rows])
    slots = _slots(len(knowledge), candidates.numbers)
    for name in SIGNALS:
        if name in knowledge.neighbours:
            total, best = pointed_at(knowledge.neighbours[name], items, say, slots, len(out))
            out[:, PLACE[f"{name}_sum"]] = np.sqrt(total)
            out[:, PLACE[f"{name}_best"]] = np.sqrt(best)


def _slots(count: int, numbers: np.ndarray) -> np.ndarray:
    """Place of each item among the candidates, the number of candidates where it is none, int32 (N + 1,)."""
    slots = np.full(count + 1, len(numbers), np.int32)
    inside = np.flatnonzero((numbers >= 0) & (numbers < count))
    slots[numbers[inside]] = inside
    return slots


def pointed_at(
    neighbours: Neighbours, items: np.ndarray, say: np.ndarray, slots: np.ndarray, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Sum of ``say * weight`` over the items that point at each candidate, and the largest weight.

    Args:
        items: numbers, (P,). say: of each, (P,).
        slots: place of each item among the candidates, their number where it is none, (N + 1,).
        length: of the candidates.
    """
    places = slots[neighbours.ids[items]]
    row, column = np.nonzero(places < length)
    place = places[row, column]
    weight = neighbours.weights[items[row], column]
    total = np.bincount(place, weight * say[row], minlength=length)
    best = np.zeros(length)
    np.maximum.at(best, place, weight)
    return total, best


def _fill_content(
    out: np.ndarray,
    name: str,
    knowledge: Knowledge,
    looked: _Looked,
    candidates: Candidates,
    known: np.ndarray,
) -> None:
    """``mean`` and ``best`` likeness to the profile's products, each with its say; 0 where there is none."""
    if not looked.say.any():
        return
    like = candidates.content.get(name)
    if like is None:
        like = _compared(knowledge, name, looked.profile.items, candidates.numbers, known)
    if like is None:
        return
    like = np.nan_to_num(like, nan=0.0)
    heard = looked.say / looked.say.max()
    out[:, PLACE[f"{name}_mean"]] = like @ looked.say
    out[:, PLACE[f"{name}_best"]] = np.maximum((like * np.sqrt(heard)).max(axis=1), 0)


def _compared(
    knowledge: Knowledge, name: str, held: np.ndarray, numbers: np.ndarray, known: np.ndarray
) -> np.ndarray | None:
    """Similarity of candidates and profile by the knowledge's own vectors; 0 where either has none."""
    space = knowledge.spaces.get(name)
    if space is None or not len(space):
        return None
    inside = (held >= 0) & (held < len(knowledge))
    mine = space[np.where(inside, held, 0)].astype(np.float32) * inside[:, None]
    theirs = space[np.where(known, numbers, 0)].astype(np.float32) * known[:, None]
    return np.asarray(theirs @ mine.T)


def _fill_columns(out: np.ndarray, knowledge: Knowledge, candidates: Candidates, known: np.ndarray) -> None:
    """The knowledge's columns; for products it does not hold, the live counts within the listing."""
    numbers = candidates.numbers[known]
    for name in ("popularity", "recent", "trend", "ctr"):
        if name in knowledge.columns:
            out[known, PLACE[name]] = knowledge.columns[name][numbers]
    live = np.log1p(np.nan_to_num(np.maximum(candidates.popularity, 0), nan=0.0))
    most = live.max(initial=0.0)
    if most > 0:
        for name in ("popularity", "recent"):
            out[~known, PLACE[name]] = live[~known] / most
    out[~known, PLACE["ctr"]] = 1.0


def _fill_repeats(
    out: np.ndarray, knowledge: Knowledge, looked: _Looked, candidates: Candidates, known: np.ndarray
) -> None:
    """How often, how lately the product itself was met, and how often others came back to it."""
    held, strong = looked.profile.items, looked.profile.strengths
    rows = np.flatnonzero((held >= 0) & (strong > 0))
    if not len(rows):
        return
    ends = max(int(held[rows].max()), int(candidates.numbers.max())) + 1
    slots = _slots(ends, candidates.numbers)
    place = slots[held[rows]]
    rows, place = rows[place < len(out)], place[place < len(out)]
    met = np.bincount(place, strong[rows], minlength=len(out))
    lately = np.zeros(len(out))
    np.maximum.at(lately, place, np.exp2(-looked.profile.ages_days[rows] / FRESH_DAYS))
    out[:, PLACE["seen"]] = np.log1p(met)
    out[:, PLACE["seen_lately"]] = lately
    if "repeat" in knowledge.columns:
        rate = knowledge.columns["repeat"][np.where(known, candidates.numbers, 0)] * known
        out[:, PLACE["comes_back"]] = rate * (met > 0)


def _fill_facts(out: np.ndarray, looked: _Looked, candidates: Candidates, known: np.ndarray) -> None:
    """Price against the profile's, share of the category in it, newness, the shop's own place."""
    priced = ~np.isnan(looked.profile.prices) & (looked.profile.prices > 0) & (looked.say > 0)
    if priced.any():
        usual = np.average(np.log(looked.profile.prices[priced]), weights=looked.say[priced])
        theirs = np.log(np.where(candidates.price > 0, candidates.price, np.nan))
        out[:, PLACE["price_gap"]] = np.nan_to_num(np.minimum(np.abs(theirs - usual), 3.0), nan=0.0)
    same = candidates.category[:, None] == looked.profile.categories
    out[:, PLACE["category"]] = (same & (candidates.category[:, None] >= 0)) @ looked.say
    age = np.maximum(candidates.age_days, 0)
    out[:, PLACE["fresh"]] = np.nan_to_num(np.exp2(-age / FRESH_DAYS), nan=0.0)
    out[:, PLACE["known"]] = known
    placed = candidates.position >= 0
    out[placed, PLACE["position"]] = 1 / (1 + candidates.position[placed] / POSITIONS)
