"""Recommendation strips for a placement, with reasons."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from .. import conf, metrics
from ..catalogue.constraints import NO_RULES, Rules, apply_rules
from ..catalogue.models import CatalogueEntry
from ..catalogue.product_facts import facts_now
from ..catalogue.visibility import visible_refs
from ..exceptions import InvalidRequest
from ..types import Hit, Listing, Ordering, ProductRef
from . import retrieval
from .api import rank_or_none
from .order_cache import Ranking, Reason
from .reasons import in_words
from .serving import kept
from .visitor_profile import Taste, taste_of

MOST_RANKED = 200
RECALL_SHARE = 0.5  # of RANKING['budget_ms'], after which no more products are looked for
SPARE = 3  # times the products wanted that are looked up, as some turn out hidden or sold out


@dataclass(frozen=True, slots=True)
class Chosen:
    """Products for a strip, before the shop has had its say.

    Args:
        refs: best first, or to be ranked.
        title: of the strip, in words.
        ranked: they are to be ranked for the visitor.
        sold_out: those that cannot be bought now are shown too.
        anchor: the product it is about.
        without: not to be shown.
        reason: of all that the ranker gives none.
    """

    refs: Sequence[ProductRef] = ()
    title: str = ""
    ranked: bool = True
    sold_out: bool = False
    anchor: ProductRef | None = None
    without: frozenset[ProductRef] = field(default_factory=frozenset)
    reason: Reason | None = None


def choose(
    placement: str, *, request: Any, product: ProductRef | None, limit: int, rules: Rules = NO_RULES
) -> Listing:
    """The products of a placement for a request's visitor; empty where there is nothing to show.

    Finding and ranking them share RANKING['budget_ms']. What is late is left out: the like of further products
    first, then the ranking, so that they stand as they were found.

    Args:
        product: whose page it is; it and its variants are left out. ``together`` needs it.
        rules: of the shop; pinned products come first, hidden ones last.

    Raises:
        InvalidRequest: there is no such placement, or it needs a product.
    """
    start = time.perf_counter()
    until = start + RECALL_SHARE * conf.RANKING["budget_ms"] / 1000
    if placement not in CHOOSERS:
        known = ", ".join(CHOOSERS)
        raise InvalidRequest("unknown_placement", code="unknown_placement", placement=placement, known=known)
    taste = taste_of(request)
    chosen = CHOOSERS[placement](taste, product, until)
    if chosen.anchor is not None and not visible_refs([chosen.anchor], request):
        chosen = Chosen()
    refs = _without(chosen, taste, product)[:MOST_RANKED]
    ranking = rank_or_none(refs, taste, places=False, since=start, rules=rules) if chosen.ranked else None
    if ranking is None:
        refs = [refs[place] for place in apply_rules(np.arange(len(refs)), refs, rules)]
    hits, ordering = _hits(refs, ranking, chosen, request, limit)
    listing = uuid.uuid4().hex
    took = (time.perf_counter() - start) * 1000
    metrics.observe(f"placement_{placement}", took)
    about = {"placement": placement, "title": chosen.title, "product": str(chosen.anchor or "") or None}
    return Listing(
        id=listing,
        hits=hits,
        count=len(hits),
        query=about,
        took_ms=took,
        ordering=replace(ordering, listing=listing) if ordering else None,
    )


def _for_you(taste: Taste, product: ProductRef | None, until: float) -> Chosen:
    liked = [one.product for one in taste.liked()]
    title = _("Picked for you") if liked else _("Popular now")
    found = retrieval.for_visitor(liked, kept().live.knowledge, until=until)
    return Chosen(found, title, without=frozenset(liked))


def _because(taste: Taste, product: ProductRef | None, until: float) -> Chosen:
    anchor = next((one.product for one in taste.liked() if one.product != product), None)
    if anchor is None:
        return Chosen()
    name = facts_now([anchor]).get(anchor, {}).get("title")
    if not name:
        return Chosen()
    found = [
        *retrieval.looking_like([anchor], until=until),
        *retrieval.going_with([anchor], kept().live.knowledge),
    ]
    seen = frozenset(one.product for one in taste.seen)
    return Chosen(
        found, _("Because you looked at “%(title)s”") % {"title": name}, anchor=anchor, without=seen
    )


def _recent(taste: Taste, product: ProductRef | None, until: float) -> Chosen:
    found = list(dict.fromkeys(one.product for one in taste.liked()))
    return Chosen(found, _("Looked at recently"), ranked=False, sold_out=True, reason=Reason("seen"))


def _together(taste: Taste, product: ProductRef | None, until: float) -> Chosen:
    if product is None:
        raise InvalidRequest("this_placement_needs_product", code="product_needed")
    found = retrieval.going_with([product], kept().live.knowledge, ("together",))
    said = Reason("together", str(product))
    return Chosen(found, _("Often together"), ranked=False, anchor=product, reason=said)


CHOOSERS: dict[str, Callable[[Taste, ProductRef | None, float], Chosen]] = {
    "for_you": _for_you,
    "because_you_viewed": _because,
    "recently_viewed": _recent,
    "together": _together,
}


def _without(chosen: Chosen, taste: Taste, product: ProductRef | None) -> list[ProductRef]:
    """Each once, less the product of the page, its variants, and what the visitor hides."""
    away = set(chosen.without) | {ProductRef.parse(ref) for ref in taste.hidden()}
    away |= {one for one in (product, chosen.anchor) if one is not None}
    asked = [*chosen.refs, *away]
    rows = CatalogueEntry.objects.filter(
        source__in={one.source for one in asked}, object_id__in={one.object_id for one in asked}
    )
    groups = {(row[0], row[1]): row[2] for row in rows.values_list("source", "object_id", "group")}
    shown = {groups.get((one.source, one.object_id), str(one)) for one in away}
    found: list[ProductRef] = []
    for ref in chosen.refs:
        group = groups.get((ref.source, ref.object_id), str(ref))
        if group not in shown:
            shown.add(group)
            found.append(ref)
    return found


def _hits(
    refs: Sequence[ProductRef], ranking: Ranking | None, chosen: Chosen, request: Any, limit: int
) -> tuple[tuple[Hit, ...], Ordering | None]:
    """The first that the shop shows this visitor now, with what it says of them."""
    depth = list(ranking.order if ranking else range(len(refs)))[: limit * SPARE + 10]
    allowed = set(visible_refs([refs[place] for place in depth], request))
    listed = [place for place in depth if refs[place] in allowed]
    kept: list[int] = []
    facts: dict[ProductRef, dict[str, Any]] = {}
    while listed and len(kept) < limit:  # only as many products are loaded as it takes
        part, listed = listed[: limit - len(kept)], listed[limit - len(kept) :]
        facts |= facts_now([refs[place] for place in part])
        there = [place for place in part if refs[place] in facts]
        kept += [place for place in there if chosen.sold_out or facts[refs[place]]["in_stock"]]
    given = ranking.reasons if ranking else {}
    found = {place: given.get(place, chosen.reason) for place in kept}
    reasons = {str(place): one for place, one in found.items() if one is not None}
    words = in_words(reasons, request)
    hits = tuple(
        Hit(
            refs[place],
            0.0,
            None,
            "",
            why=(words[str(place)],) if words.get(str(place)) else (),
            facts=facts[refs[place]],
        )
        for place in kept
    )
    if ranking is None:
        return hits, None
    odds = dict(zip(ranking.order, ranking.propensities, strict=True))
    return hits, Ordering("", tuple(range(len(kept))), tuple(odds[place] for place in kept))
