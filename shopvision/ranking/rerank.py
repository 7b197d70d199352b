"""Re-rank a listing: features, scores, diversity, rules, exploration, reasons."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .. import conf
from ..catalogue.constraints import NO_RULES, Rules, apply_rules, pinned_places
from ..catalogue.models import CatalogueEntry
from ..indexing import encoder_releases
from ..indexing.encoder_releases import LiveRelease
from ..types import ProductRef
from . import diversity, popularity, reasons
from .deadline import Budget
from .exploration import Explored, explore
from .features import Candidates, features
from .interactions import Profile
from .item_model.model import Knowledge
from .item_model.title_vectors import embed_text
from .order_cache import Ranking, Reason
from .popularity import Count
from .product_features import Shelf, shelf_of
from .serving import Serving, current
from .visitor_profile import Liked, Taste, profile_of

ALIKE_PERCENTILE = 97  # photos more alike than this share of unrelated ones are said to look alike
ALIKE = 0.5  # until the shop has a background to say
MOST_TEXTS = 64  # of products newer than the knowledge, put into its words for one listing
NO_COUNT = Count()


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """Products of a listing and a visitor's acts, as the features take them.

    Args:
        shelf: of the candidates. vectors: unit rows of the candidates' looks, or None.
        likeness: by space, (L, P).
    """

    candidates: Candidates
    profile: Profile
    shelf: Shelf
    vectors: np.ndarray | None
    alike: float
    live: Mapping[str, Count]


def rank(
    refs: Sequence[ProductRef],
    taste: Taste,
    *,
    rules: Rules = NO_RULES,
    seed: str = "",
    places: bool = True,
    serving: Serving | None = None,
    since: float | None = None,
) -> Ranking | None:
    """The order of some products for a visitor; None where there is nothing to go by.

    Args:
        refs: in the shop's own order, each once.
        seed: the same draws the same explored product.
        places: the order given means something; else it counts for nothing.
        serving: what ranks, as an experiment has it; the live one if not given.
        since: ``perf_counter()`` at which the budget began to run; now if not given.

    Raises:
        OverBudget: it took longer than RANKING['budget_ms'].
    """
    serving, live = serving or current(), popularity.lately()
    if not (taste.seen or rules or len(serving.knowledge) or live):
        return None
    budget = Budget(conf.RANKING["budget_ms"], since=since)
    looked = look(refs, taste, serving.knowledge, live, places=places)
    budget.check("looking the products up")
    scores = _scores(serving, looked, budget)
    budget.check("scoring")
    explored = _guarded(refs, scores, looked, taste, rules, seed)
    reasons = _reasons(serving.knowledge, looked, explored, moved_up=places)
    budget.check("ordering")
    budget.done()
    return Ranking(
        tuple(explored.order.tolist()), tuple(round(p, 6) for p in explored.propensities.tolist()), reasons
    )


def ruled(refs: Sequence[ProductRef], rules: Rules) -> Ranking | None:
    """The shop's own order with nothing but its rules applied; None where there are none."""
    if not rules:
        return None
    return Ranking(tuple(apply_rules(np.arange(len(refs)), refs, rules).tolist()), (1.0,) * len(refs))


def look(
    refs: Sequence[ProductRef],
    taste: Taste,
    knowledge: Knowledge,
    live: Mapping[str, Count],
    *,
    places: bool = True,
) -> Looked:
    """Candidates and profile of a listing."""
    acts = [one.product for one in taste.seen]
    release = encoder_releases.at_hand()
    both = shelf_of([*refs, *acts], release)
    names, seen = [str(ref) for ref in refs], [str(ref) for ref in acts]
    numbers, held = knowledge.number(names, seen)
    count = len(refs)
    content = {}
    if both.looks is not None and acts:
        content["visual"] = _likeness(both.looks[:count], both.looks[count:])
    texts = _texts(knowledge, [*names, *seen], np.concatenate([numbers, held]))
    if texts is not None and acts:
        content["text"] = _likeness(texts[:count], texts[count:])
    popularity = np.array([live.get(name, NO_COUNT).acts for name in names], np.float32)
    if popularity.max(initial=0.0) < reasons.LEAST_ACTS:  # relative to the most, one view would say all
        popularity[:] = 0
    position = np.arange(count, dtype=np.int32) if places else np.full(count, -1, np.int32)
    candidates = Candidates(
        numbers,
        both.prices[:count],
        both.categories[:count],
        both.ages_days[:count],
        both.in_stock[:count],
        position,
        popularity,
        content,
    )
    liked = Liked(both.prices[count:], both.categories[count:])
    profile = profile_of(taste.seen, knowledge, held, liked)
    vectors = None if both.looks is None else both.looks[:count]
    return Looked(candidates, profile, both, vectors, _alike(release), live)


def _likeness(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Cosines (L, P) of unit rows; nan where a row is zero."""
    out = mine @ theirs.T
    out[~mine.any(axis=1)] = np.nan
    out[:, ~theirs.any(axis=1)] = np.nan
    return np.asarray(out, np.float32)


def _texts(knowledge: Knowledge, names: Sequence[str], numbers: np.ndarray) -> np.ndarray | None:
    """Vectors in the knowledge's words, also of products it does not hold; None where it has none, or needs none."""
    space = knowledge.spaces.get("text")
    unknown = np.flatnonzero(numbers >= len(knowledge))
    if space is None or not {"text_idf", "text_axes"} <= set(knowledge.projections) or not len(unknown):
        return None
    out = np.zeros((len(names), space.shape[1]), np.float32)
    known = np.flatnonzero(numbers < len(knowledge))
    out[known] = space[numbers[known]]
    places: dict[str, list[int]] = {}  # of each product, in the listing and among the acts
    for place in unknown.tolist():
        places.setdefault(names[place], []).append(place)
    wanted = {names[place] for place in unknown.tolist()[-MOST_TEXTS:]}
    keys = [ref.partition(":") for ref in wanted]
    rows = CatalogueEntry.objects.filter(
        source__in={source for source, _, _ in keys}, object_id__in=[key for _, _, key in keys]
    )
    found = [(f"{s}:{k}", text) for s, k, text in rows.values_list("source", "object_id", "text")]
    found = [(name, text) for name, text in found if name in wanted]
    vectors = embed_text([text for _, text in found], knowledge.projections)
    for (name, _), vector in zip(found, vectors, strict=True):
        out[places[name]] = vector
    return out


def _alike(release: LiveRelease | None) -> float:
    quantiles = (release.row.background.get("quantiles") or []) if release is not None else []
    return max(float(quantiles[ALIKE_PERCENTILE]), 0.0) if len(quantiles) > ALIKE_PERCENTILE else ALIKE


def _scores(serving: Serving, looked: Looked, budget: Budget) -> np.ndarray:
    x = features(serving.knowledge, looked.profile, looked.candidates)
    scores = serving.ranker.score(x) if serving.ours else budget.within(lambda: serving.ranker.score(x))
    scores = np.asarray(scores, np.float64)
    if scores.shape != (len(x),) or not np.isfinite(scores).all():
        raise ValueError(
            f"ranker {serving.name} gave {scores.shape} scores for {len(x)} products, or not finite"
        )
    return scores


def _guarded(
    refs: Sequence[ProductRef], scores: np.ndarray, looked: Looked, taste: Taste, rules: Rules, seed: str
) -> Explored:
    """The order after the guardrails and exploration."""
    names = [str(ref) for ref in refs]
    # without a profile the shop's own order is the best known
    variety = conf.RANKING["diversity"] if taste.seen else 0.0
    order = diversity.diverse(scores, looked.vectors, variety)
    order = diversity.at_most(order, conf.RANKING["max_moved"])
    sold_out = ~looked.candidates.in_stock if conf.RANKING["sold_out_last"] else None
    order = apply_rules(order, refs, rules, hidden=taste.hidden(), sold_out=sold_out)
    away, pinned = rules.hidden | taste.hidden(), pinned_places(refs, rules)
    last = np.array([name in away for name in names], bool)
    if sold_out is not None:
        last |= sold_out
    last[pinned] = False
    sums = [looked.live.get(name, NO_COUNT) for name in names]
    digest = hashlib.sha256("\0".join([seed, *names]).encode()).digest()
    return explore(
        order,
        np.array([one.shown for one in sums], float),
        np.array([one.clicked for one in sums], float),
        share=conf.RANKING["explore"],
        first=len(pinned),
        last=len(order) - int(last.sum()),
        rng=np.random.default_rng(int.from_bytes(digest[:8], "big")),
    )


def _reasons(
    knowledge: Knowledge, looked: Looked, explored: Explored, *, moved_up: bool
) -> dict[int, Reason]:
    """By place in the order given.

    Args:
        moved_up: only of products that stand higher than the shop has them.
    """
    found = reasons.general(looked.candidates.popularity, looked.candidates.age_days)
    found.update(
        reasons.same_category(
            looked.candidates.category,
            looked.profile.categories[looked.profile.strengths > 0],
            looked.shelf.names,
        )
    )
    found.update(
        reasons.strongest(
            knowledge,
            looked.profile,
            looked.candidates.numbers,
            looked.candidates.content.get("visual"),
            looked.alike,
        )
    )
    if explored.chosen >= 0:
        found[explored.chosen] = Reason("explored")
    rank_of = np.empty(len(explored.order), np.int64)
    rank_of[explored.order] = np.arange(len(explored.order))
    return {place: reason for place, reason in found.items() if not moved_up or rank_of[place] < place}
