"""Public API: search by photo, similar products, recommendations, personalised listings."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from . import conf, metrics, signals, timestamps
from .catalogue.constraints import NO_RULES, Rules
from .catalogue.models import CatalogueEntry
from .catalogue.visibility import visible_refs
from .encoders.descriptor import colours_in_words
from .encoders.projection import unit
from .exceptions import InvalidRequest
from .images.crop import crop, propose, views
from .images.decode import decode
from .index.models import Embedding
from .indexing import encoder_releases
from .indexing.encoder_releases import LiveRelease
from .indexing.photos import limits
from .ranking import recommendations
from .ranking.api import (
    PersonalisedListMixin,
    RankedSequence,
    is_sorted_by_shopper,
    rank_for,
    rank_ids,
    rank_queryset,
)
from .ranking.reasons import in_words
from .search import search_session
from .search.match import decide
from .search.present import Query, Reasons, present
from .search.query import VOTERS, Found, Nearest, category_vote, facets, narrow_by_text, nearest
from .tuning import click_feedback
from .types import EVERYTHING, FULL_FRAME, Filter, Hit, Listing, Match, Ordering, ProductRef, Region

__all__ = [
    "PLACEMENTS",
    "PersonalisedListMixin",
    "RankedSequence",
    "forget",
    "personalised_listing",
    "rank_ids",
    "rank_queryset",
    "recommended",
    "search_by_photo",
    "similar_products",
    "stored_page",
]
SUBJECT_SIDE = 640  # pixels of the subject that are decoded: encoders take 224 to 384
MOST_SIDE = 4096


def search_by_photo(
    data: bytes,
    *,
    region: Region | None = None,
    text: str = "",
    where: Filter = EVERYTHING,
    limit: int = 24,
    context: Any = None,
    rules: Rules = NO_RULES,
) -> Listing:
    """Products that look like a photo, best first; the photo is dropped when this returns.

    Args:
        data: the file's bytes, untrusted.
        region: the part of the upright photo that is meant; the whole if not given.
        text: words that title, description or category must hold as well.
        where: exact filters.
        limit: products on the first page.
        context: the request, for the shop's own ``visible`` and for what may be kept.
        rules: of the shop; pinned products come first where they are found, hidden ones last.

    Raises:
        ImageRejected: the bytes are no photo we can use.
        TemporaryFailure: nothing is indexed yet, or no encoder answered.
    """
    clock = _Clock()
    image = decode(data, limits(), max_side=_side(region))
    subject = crop(image, region) if region else image
    clock.lap("decode")
    boxes = propose(subject)
    clock.lap("regions")
    live = encoder_releases.live()
    blocks = live.query_encoder.describe(views(subject, boxes))
    clock.lap("encode")
    vector = live.projection.look(blocks)
    colours = [one.name for one in colours_in_words(blocks, 0, subject)]
    clock.lap("colour")
    narrowed = narrow_by_text(text, where)
    own = hashlib.sha256(data).hexdigest() if region is None else ""
    answer = nearest(live, vector, where=narrowed, context=context, exact_digest=own, rules=rules)
    clock.lap("index")
    query = Query(blocks, tuple(colours), where)
    # what the photo shows, and whether the shop has it, is no matter of what the shopper narrows the answer to
    whole = (answer if narrowed == EVERYTHING else nearest(live, vector, context=context, limit=VOTERS)).found
    listing, found, reasons = _listing(live, answer, query, limit, clock)
    match, category = _sold(whole, live), category_vote(whole)
    boxes = [region] if region else boxes or [FULL_FRAME]
    said = {**listing.query, "category": category, "regions": _regions(boxes, category)}
    listing = replace(listing, match=match, query=said)
    if match.level == "none":
        nearest_kind, colour = category["name"] if category else "", colours[0] if colours else ""
        search_session.record_demand(context, nearest_kind, colour, text)
    click_feedback.remember(context, listing.id, live.row.backbone_digest, blocks)
    return _keep(live, listing, found, reasons, "photo", clock, where)


def similar_products(
    ref: ProductRef,
    *,
    text: str = "",
    where: Filter = EVERYTHING,
    limit: int = 24,
    context: Any = None,
    alternatives: bool = False,
    keep: bool = True,
    rules: Rules = NO_RULES,
) -> Listing:
    """Products that look like one of the shop's, from stored embeddings: nothing is encoded.

    Args:
        ref: the product; it and its variants are left out. One the shop hides from this visitor is not there.
        text: words that title, description or category must hold as well.
        where: exact filters.
        keep: store what further pages need; a strip on a page has none.
        alternatives: only what can be bought now, to stand in for a product that is out of stock.
        rules: as of ``search_by_photo``.

    Raises:
        InvalidRequest: the product is not in the index (code ``not_found``).
        TemporaryFailure: nothing is indexed yet.
    """
    clock = _Clock()
    live = encoder_releases.answering()
    entry = CatalogueEntry.objects.filter(source=ref.source, object_id=ref.object_id).first()
    vectors = _vectors_of(live, entry) if entry else np.empty((0, 0))
    if entry is None or not len(vectors) or not visible_refs([ref], context):
        raise InvalidRequest("product_not_in_index", code="not_found", ref=ref)
    variants = CatalogueEntry.objects.filter(group=entry.group).values_list("pk", flat=True)
    where = narrow_by_text(text, where)
    where = replace(where, exclude=where.exclude | {entry.pk, *variants})
    if alternatives:
        where = replace(where, in_stock=True)
    answer = nearest(live, unit(vectors.mean(0)[None])[0], where=where, context=context, rules=rules)
    clock.lap("index")
    query = Query(
        search_session.descriptors_of_entry(live, entry.pk), search_session.colours_of_entry(entry.pk), where
    )
    listing, found, reasons = _listing(live, answer, query, limit, clock, later=keep)
    return _keep(live, listing, found, reasons, "similar", clock, where) if keep else listing


def _sold(found: Sequence[Found], live: LiveRelease) -> Match:
    """Does the shop sell what a photo shows, by the nearest it has."""
    near = sorted(found, key=lambda one: -one.similarity)  # the product with this very file came first
    kinds = [[key for key, _ in one.categories] for one in near]
    return decide([one.similarity for one in near], kinds, live.row.background)


PLACEMENTS = (*recommendations.CHOOSERS, "similar", "alternatives")


def recommended(
    placement: str,
    *,
    request: Any = None,
    product: ProductRef | None = None,
    limit: int = 12,
    rules: Rules = NO_RULES,
) -> Listing:
    """Products for a strip on a page, chosen for its visitor or to go with a product; what can be bought first.

    Args:
        placement: ``for_you``, ``because_you_viewed``, ``recently_viewed``; with a product ``similar``,
            ``alternatives`` (to one that is sold out) and ``together``.
        product: whose page it is; it and its variants are left out.
        rules: as of ``search_by_photo``.

    Returns:
        no hits where there is nothing to show: nothing was looked at yet, no photo is indexed. ``query`` holds
        the placement and a title in words.

    Raises:
        InvalidRequest: there is no such placement (``unknown_placement``), or it needs a product
            (``product_needed``).
    """
    if placement not in ("similar", "alternatives"):
        return recommendations.choose(placement, request=request, product=product, limit=limit, rules=rules)
    if product is None:
        raise InvalidRequest("placement_needs_product", code="product_needed", placement=placement)
    instead = placement == "alternatives"
    title = _("Available alternatives") if instead else _("Looks similar")
    try:
        found = similar_products(
            product, limit=limit, context=request, alternatives=instead, keep=False, rules=rules
        )
    except InvalidRequest:
        found = Listing(id=uuid.uuid4().hex, hits=(), count=0)
    said = {"placement": placement, "title": title, "product": str(product)}
    return replace(found, query=said, count=len(found.hits))


def personalised_listing(
    products: Sequence[ProductRef], *, request: Any = None, limit: int | None = None
) -> Listing:
    """Products of a listing in the order its visitor sees, each once; in the given order where anything fails.

    Args:
        products: in the shop's own order; the first RANKING['window'] of them are re-ordered.
        limit: hits wanted; all if not given. ``facts`` stay empty: the page that asks has its own.
    """
    clock = _Clock()
    given = list(dict.fromkeys(products))
    window = conf.RANKING["window"]
    ranking = None if is_sorted_by_shopper(request) else rank_for(request, given[:window])
    order = [*(ranking.order if ranking else range(len(given[:window]))), *range(window, len(given))][:limit]
    reasons = {str(place): one for place, one in (ranking.reasons if ranking else {}).items()}
    words = in_words(reasons, request)
    hits = tuple(
        Hit(given[place], 0.0, None, "", why=(words[str(place)],) if words.get(str(place)) else ())
        for place in order
    )
    listing = uuid.uuid4().hex
    odds = [*(ranking.propensities if ranking else ()), *[None] * len(order)][: len(order)]
    return Listing(
        id=listing,
        hits=hits,
        count=len(given),
        query={"ranked": ranking is not None},
        took_ms=clock.total(),
        ordering=Ordering(listing, tuple(range(len(order))), tuple(odds)) if ranking else None,
    )


def stored_page(search_id: str, *, offset: int, limit: int, context: Any = None) -> Listing:
    """A further page of a search; what the shop has hidden or sold out of since is left out.

    Raises:
        InvalidRequest: the search is unknown or its time has passed (code ``not_found``).
    """
    clock = _Clock()
    kept = search_session.read(_uuid(search_id))
    hits, answer = search_session.page(kept, offset, limit, context)
    clock.lap("facts")
    return Listing(
        id=search_id,
        hits=hits,
        count=len(answer),
        match=search_session.match_of(kept),
        query=kept["query"],
        facets=kept["facets"],
        encoder=kept["encoder"],
        index=kept["index"],
        took_ms=clock.total(),
        timings=clock.laps,
    )


def forget(search_id: str) -> None:
    """Delete a search; unknown ones are forgotten already."""
    search_session.forget(_uuid(search_id))


def _listing(
    live: LiveRelease,
    answer: Nearest,
    query: Query,
    limit: int,
    clock: _Clock,
    *,
    later: bool = False,
) -> tuple[Listing, tuple[Found, ...], Mapping[ProductRef, Reasons]]:
    """A first page with everything that is said about the whole answer, the whole answer, and its reasons."""
    hits, found, why = present(live, answer.found, query, limit, later=later)
    clock.lap("facts")
    listing = Listing(
        id=uuid.uuid4().hex,
        hits=hits,
        count=len(found),
        query={"category": None, "stored": False},
        facets=facets(found),
        encoder=str(live.row),
        index={"as_of": timestamps.as_text(answer.as_of), "size": answer.size},
    )
    clock.lap("facets")
    return listing, found, why


def _keep(
    live: LiveRelease,
    listing: Listing,
    found: Sequence[Found],
    why: Mapping[ProductRef, Reasons],
    kind: str,
    clock: _Clock,
    where: Filter,
) -> Listing:
    """Store what further pages need, tell the listeners, and note the time."""
    quantiles = live.row.background.get("quantiles") or []
    stored = search_session.write(listing, found, quantiles, kind, clock.laps, clock.total(), where, why)
    clock.lap("store")
    count = listing.count if stored else len(listing.hits)
    listing = replace(listing, took_ms=clock.total(), timings=clock.laps, count=count)
    metrics.observe(f"search_{kind}", listing.took_ms)
    signals.search_performed.send_robust(Listing, listing=listing, kind=kind)
    return listing


def _side(region: Region | None) -> int:
    """How many pixels of a photo's long side are worth decoding: a small region of a large photo needs more."""
    share = max(region.x1 - region.x0, region.y1 - region.y0) if region else 1.0
    return int(min(MOST_SIDE, SUBJECT_SIDE / max(share, 0.01)))


def _regions(boxes: Sequence[Region], category: dict[str, Any] | None) -> list[dict[str, Any]]:
    label = {"label": category["name"], "probability": category["probability"]} if category else {}
    return [
        {"box": [round(x, 4) for x in box.box()], **(label if i == 0 else {})} for i, box in enumerate(boxes)
    ]


def _vectors_of(live: LiveRelease, entry: CatalogueEntry) -> np.ndarray:
    rows = Embedding.objects.filter(release=live.row, entry_id=entry.pk, vector__isnull=False)
    data = [bytes(v) for v in rows.values_list("vector", flat=True) if v is not None]
    return np.stack([np.frombuffer(v, "<f2").astype(np.float32) for v in data]) if data else np.empty((0, 0))


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except (ValueError, ValidationError):
        raise InvalidRequest("search_not_found", code="not_found") from None


class _Clock:
    """Milliseconds by stage of one answer."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self.laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + (now - self._last) * 1000
        self._last = now

    def total(self) -> float:
        return (time.perf_counter() - self._start) * 1000
