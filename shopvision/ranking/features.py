"""Compute the ranker's input features from the item model, the visitor profile and the candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .interactions import Profile
from .item_model.model import Knowledge
from .item_model.neighbours import Neighbours


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Products to rank, in the shop's own order; all as long as ``numbers``.

    Args:
        numbers: numbers of the knowledge's items, int32 (L,); -1, or one past its end, is a product that it
            does not hold yet. See ``Knowledge.number``.
        price: in the shop's currency, nan where unknown; float32 (L,).
        category: equal where the category is the same, -1 where unknown; int32 (L,).
        age_days: since the product came into the shop, nan where unknown; float32 (L,).
        in_stock: bool (L,).
        position: in the shop's own order, from 0; -1 where the shop has none; int32 (L,).
        popularity: acts counted lately, for products the knowledge does not hold; nan where unknown;
            float32 (L,).
        content: by space (``visual``, ``text``), similarity of each candidate with each product of the
            profile, in [-1, 1], nan where either has no vector; float32 (L, P). Where a space is absent,
            the knowledge's own vectors are compared.
    """

    numbers: np.ndarray
    price: np.ndarray
    category: np.ndarray
    age_days: np.ndarray
    in_stock: np.ndarray
    position: np.ndarray
    popularity: np.ndarray
    content: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)


SIGNALS = ("next", "after", "together", "ease")
SPACES = ("text", "visual")
COUNTS = ("popularity", "recent", "trend", "today")
COLUMNS = (*COUNTS, "chosen_lately", "ctr")
FEATURES = (
    *(f"{name}_sum" for name in SIGNALS),
    *(f"{name}_best" for name in SIGNALS),
    *(f"{name}_lately" for name in SIGNALS),
    *(f"{name}_{way}" for name in SPACES for way in ("mean", "best")),
    "words",
    "words_often",
    *COLUMNS,
    "seen",
    "seen_lately",
    "comes_back",
    "price",
    "price_gap",
    "dearer",
    "category",
    "fresh",
    "young",
    "known",
    "position",
    "acts",
    "idle",
)
"""Columns in their order: what the profile's products point at (all in all, at most, and by the latest), likeness
to them, words of the title that theirs have, what is chosen lately and how often it is clicked, what was had
before, price and distance in price, share of the category, newness, whether the knowledge holds the product, the
shop's own order, and of the profile how long it is and how long ago."""
PLACE = {name: column for column, name in enumerate(FEATURES)}
HALF_LIFE_DAYS, LATELY_DAYS = 60.0, 7.0
"""In which what was done loses half its say: tastes last for months, an intention for days."""
FRESH_DAYS, YOUNG_DAYS = 30.0, 180.0
POSITIONS = 20.0


class _Looked(NamedTuple):
    """A profile as the features use it."""

    profile: Profile
    say: np.ndarray  # of each act, sums to 1 where there is any
    lately: np.ndarray  # the same, of what was done last


def features(knowledge: Knowledge, profile: Profile, candidates: Candidates) -> np.ndarray:
    """What the ranker sees of each candidate, float32 (L, F), columns as ``FEATURES``.

    Everything is finite, and 0 where nothing is known. Nothing depends on the order of the candidates but
    ``position``.
    """
    length = len(candidates)
    out = np.zeros((length, len(FEATURES)), np.float32)
    if not length:
        return out
    looked = _looked(profile)
    known = (candidates.numbers >= 0) & (candidates.numbers < len(knowledge))
    _fill_neighbours(out, knowledge, looked, candidates)
    for name in SPACES:
        _fill_content(out, name, knowledge, looked, candidates, known)
    _fill_words(out, knowledge, looked, candidates, known)
    _fill_columns(out, knowledge, candidates, known)
    _fill_repeats(out, knowledge, looked, candidates, known)
    _fill_facts(out, candidates, known)
    _fill_against(out, looked, candidates)
    return out


def _looked(profile: Profile) -> _Looked:
    """How much each act counts: its strength, halved in each half-life it is older than the newest.

    Of several acts on one product the one that says most counts.
    """
    if not len(profile):
        return _Looked(profile, np.empty(0, np.float32), np.empty(0, np.float32))
    strengths, age = profile.strengths, profile.ages_days - profile.ages_days.min()
    say = strengths * np.exp2(-age / HALF_LIFE_DAYS)
    order = np.argsort(-say, kind="stable")
    _, first = np.unique(profile.items[order], return_index=True)
    counts = profile.items < 0
    counts[order[first]] = True
    say = np.where(counts, say, 0)
    lately = np.where(counts, strengths * np.exp2(-age / LATELY_DAYS), 0)
    return _Looked(profile, _shares(say), _shares(lately))


def _shares(weights: np.ndarray) -> np.ndarray:
    total = weights.sum()
    return np.asarray(weights / total if total > 0 else weights, np.float32)


def _fill_neighbours(out: np.ndarray, knowledge: Knowledge, looked: _Looked, candidates: Candidates) -> None:
    """Of the weights with which the profile's products point at a candidate: ``sum``, ``best`` and ``lately``."""
    held = looked.profile.items
    rows = np.flatnonzero((held >= 0) & (held < len(knowledge)) & (looked.say > 0))
    if not len(rows) or not knowledge.neighbours:
        return
    signals = [name for name in SIGNALS if name in knowledge.neighbours]
    say = np.stack([looked.say[rows], looked.lately[rows]])
    slots = _slots(len(knowledge), candidates.numbers)
    lists = [knowledge.neighbours[name] for name in signals]
    found = pointed_at(lists, held[rows], say, slots, len(out))
    for way, values in zip(("sum", "lately", "best"), np.sqrt(found), strict=True):
        for name, value in zip(signals, values, strict=True):
            out[:, PLACE[f"{name}_{way}"]] = value


def _slots(count: int, numbers: np.ndarray) -> np.ndarray:
    """Place of each item among the candidates, the number of candidates where it is none, int32 (N + 1,)."""
    slots = np.full(count + 1, len(numbers), np.int32)
    inside = np.flatnonzero((numbers >= 0) & (numbers < count))
    slots[numbers[inside]] = inside
    return slots


def pointed_at(
    lists: Sequence[Neighbours], items: np.ndarray, say: np.ndarray, slots: np.ndarray, length: int
) -> np.ndarray:
    """Sums of ``say * weight`` over the items that point at each candidate, and the largest weight.

    Args:
        lists: S signals. items: numbers, (P,). say: rows of how much each item counts, (R, P).
        slots: place of each item among the candidates, their number where it is none, (N + 1,).
        length: of the candidates.

    Returns:
        float64 (R + 1, S, length): R sums, and the largest.
    """
    parts = []
    for signal, one in enumerate(lists):
        places = slots[one.ids[items]].ravel()
        hit = np.flatnonzero(places < length)
        parts.append(
            (places[hit] + signal * length, hit // one.ids.shape[1], one.weights[items].ravel()[hit])
        )
    place, row, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    size = len(lists) * length
    out = np.zeros((len(say) + 1, size))
    for sums, one_say in zip(out, say, strict=False):
        sums[:] = np.bincount(place, weight * one_say[row], minlength=size)
    np.maximum.at(out[-1], place, weight)
    return out.reshape(len(say) + 1, len(lists), length)


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
    if np.isnan(like).any():
        like = np.nan_to_num(like, nan=0.0)
    heard = np.sqrt(looked.say / looked.say.max())
    out[:, PLACE[f"{name}_mean"]] = like @ looked.say
    out[:, PLACE[f"{name}_best"]] = np.maximum((like * heard).max(axis=1), 0)


def _compared(
    knowledge: Knowledge, name: str, held: np.ndarray, numbers: np.ndarray, known: np.ndarray
) -> np.ndarray | None:
    """Similarity of candidates and profile by the knowledge's own vectors; 0 where either has none."""
    space = knowledge.vectors(name)
    if not len(space):
        return None
    inside = (held >= 0) & (held < len(knowledge))
    mine = space[np.where(inside, held, 0)] * inside[:, None]
    theirs = space[np.where(known, numbers, 0)] * known[:, None]
    return np.asarray(theirs @ mine.T)


def _fill_words(
    out: np.ndarray, knowledge: Knowledge, looked: _Looked, candidates: Candidates, known: np.ndarray
) -> None:
    """Share of a title's words, by rarity, that the profile's titles have, and in what share of these."""
    held = looked.profile.items
    rows = (held >= 0) & (held < len(knowledge)) & (looked.say > 0)
    if not len(knowledge.words) or not rows.any():
        return
    idf = knowledge.projections["word_idf"]
    mine = knowledge.words[held[rows]]
    say = np.broadcast_to(looked.say[rows][:, None], mine.shape)
    heard = np.bincount(mine[mine >= 0], say[mine >= 0], minlength=len(idf) + 1)
    words = knowledge.words[np.where(known, candidates.numbers, 0)]
    rare = np.where((words >= 0) & known[:, None], idf[words], 0)
    heard = heard[words]
    total = np.maximum(rare.sum(axis=1), 1e-6)
    out[:, PLACE["words"]] = (rare * (heard > 0)).sum(axis=1) / total
    out[:, PLACE["words_often"]] = np.sqrt((rare * heard).sum(axis=1) / total)


def _fill_columns(out: np.ndarray, knowledge: Knowledge, candidates: Candidates, known: np.ndarray) -> None:
    """The knowledge's columns; for products it does not hold, the live counts within the listing."""
    numbers = np.where(known, candidates.numbers, 0)
    for name in COLUMNS:
        if name in knowledge.columns and len(knowledge):
            out[:, PLACE[name]] = knowledge.columns[name][numbers] * known
    if known.all():
        return
    live = np.log1p(np.fmax(candidates.popularity, 0))
    most = live.max(initial=0.0)
    if most > 0:
        for name in COUNTS:
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
    order = np.argsort(candidates.numbers, kind="stable")
    there = np.minimum(np.searchsorted(candidates.numbers[order], held[rows]), len(out) - 1)
    place = order[there]
    same = candidates.numbers[place] == held[rows]
    rows, place = rows[same], place[same]
    met = np.bincount(place, strong[rows], minlength=len(out))
    lately = np.zeros(len(out))
    np.maximum.at(lately, place, np.exp2(-looked.profile.ages_days[rows] / FRESH_DAYS))
    out[:, PLACE["seen"]] = np.log1p(met)
    out[:, PLACE["seen_lately"]] = lately
    if "repeat" in knowledge.columns:
        rate = knowledge.columns["repeat"][np.where(known, candidates.numbers, 0)] * known
        out[:, PLACE["comes_back"]] = rate * (met > 0)


def _fill_facts(out: np.ndarray, candidates: Candidates, known: np.ndarray) -> None:
    """Price, newness, whether the knowledge holds it, the shop's own place."""
    out[:, PLACE["price"]] = np.log1p(np.fmax(candidates.price, 0))
    age = np.where(np.isnan(candidates.age_days), np.inf, np.maximum(candidates.age_days, 0))
    out[:, PLACE["fresh"]] = np.exp2(-age / FRESH_DAYS)
    out[:, PLACE["young"]] = np.exp2(-age / YOUNG_DAYS)
    out[:, PLACE["known"]] = known
    placed = candidates.position >= 0
    out[:, PLACE["position"]] = placed / (1 + np.maximum(candidates.position, 0) / POSITIONS)


def _fill_against(out: np.ndarray, looked: _Looked, candidates: Candidates) -> None:
    """Price against the profile's, share of the category in it, how long the profile is and how long ago."""
    profile = looked.profile
    if not len(profile):
        return
    priced = (profile.prices > 0) & (looked.say > 0)
    if priced.any():
        say = looked.say[priced]
        usual = np.log(profile.prices[priced]) @ say / say.sum()
        theirs = np.log(np.where(candidates.price > 0, candidates.price, np.exp(usual)))
        dearer = np.minimum(np.maximum(theirs - usual, -3), 3)
        out[:, PLACE["dearer"]], out[:, PLACE["price_gap"]] = dearer, np.abs(dearer)
    same = candidates.category[:, None] == np.where(profile.categories >= 0, profile.categories, -2)
    out[:, PLACE["category"]] = same.astype(np.float32) @ looked.say
    out[:, PLACE["acts"]] = np.log1p(len(profile))
    out[:, PLACE["idle"]] = np.exp2(-profile.ages_days.min() / FRESH_DAYS)
