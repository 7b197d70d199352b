"""Query the index for the nearest visible products, and facets of the result."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
from django.db import connections, router
from django.db.models import Q, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast

from .. import conf
from ..catalogue.constraints import NO_RULES, Rules, apply_rules
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..catalogue.visibility import visible_refs
from ..exceptions import TemporaryFailure
from ..index.base import Neighbours
from ..indexing import encoder_releases
from ..indexing.encoder_releases import LiveRelease
from ..types import EVERYTHING, Filter, ProductRef

OVER_FETCH = 1.25  # products asked of the index beyond what can be shown: hidden ones and variants fall out
DEEPEST = 4  # times the first depth, before a search gives up filling its pages
VOTERS = 10  # nearest products that vote on the photo's category
MOST_CATEGORIES = 20
MOST_VALUES = 50  # of one filter in the facets
KEYS = "{keys}"  # where a prepared statement takes primary keys
TEXT_LIMIT = 50_000  # products a text may narrow to before it is taken for no help


@dataclass(frozen=True, slots=True)
class Found:
    """A product found: entry, reference, nearest photo, similarity, group of variants, categories, values."""

    entry_id: int
    ref: ProductRef
    image_id: int
    similarity: float
    group: str
    categories: tuple[tuple[str, str], ...] = ()  # (id, name)
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (filter's name, its values)


@dataclass(frozen=True, slots=True)
class Nearest:
    """Products found, best first, and the index they were found in: its number of photos, and as of when."""

    found: tuple[Found, ...]
    size: int
    as_of: datetime | None


def nearest(
    live: LiveRelease,
    vector: np.ndarray,
    *,
    where: Filter = EVERYTHING,
    context: Any = None,
    exact_digest: str = "",
    limit: int | None = None,
    rules: Rules = NO_RULES,
) -> Nearest:
    """The nearest products that pass the filter and that the shop lets this visitor see, variants folded.

    The index filters exactly; then the shop's own ``visible`` decides, in one query per catalogue. The depth
    is doubled until ``limit`` products are left or the index has no more.

    Args:
        exact_digest: sha256 of the query photo's bytes; the product that has this very file comes first.
        limit: products wanted; SEARCH_MAX_RESULTS if not given.
        rules: of the shop, applied to all that is found.

    Raises:
        TemporaryFailure: the index holds nothing yet (``warming``); nothing can be said of any photo.
    """
    wanted = limit or conf.SEARCH_MAX_RESULTS
    k = int(wanted * OVER_FETCH) + 10
    for _ in range(DEEPEST):
        hits = _query(live, vector, k, where)
        found = _visible(_entries(hits), context)
        if len(found) >= wanted or len(hits) < k:
            break
        k *= 2
    best = _fold_variants(_own_file_first(found, exact_digest))
    if rules:
        best = [best[place] for place in apply_rules(np.arange(len(best)), [one.ref for one in best], rules)]
    return Nearest(tuple(best[:wanted]), hits.count, hits.as_of)


def _query(live: LiveRelease, vector: np.ndarray, k: int, where: Filter) -> Neighbours:
    """One call of the index; an empty one is filled from the database first, if there is anything."""
    hits = live.index.query(vector, k, where=where, digest=live.row.digest)
    if not hits.count:
        encoder_releases.answering()  # an index that was lost follows the database, or says that it is being filled
        hits = live.index.query(vector, k, where=where, digest=live.row.digest)
    if not hits.count:
        raise TemporaryFailure("nothing_indexed_yet", code="warming", retry_after_seconds=10)
    return hits


def _entries(hits: Neighbours) -> list[Found]:
    if not len(hits):
        return []
    alias = router.db_for_read(CatalogueEntry)
    with connections[alias].cursor() as cursor:
        cursor.execute(_entries_statement(alias).replace(KEYS, ",".join(map(str, hits.products.tolist()))))
        known = {pk: rest for pk, *rest in cursor.fetchall()}
    found = []
    for image, product, similarity in zip(
        hits.ids.tolist(), hits.products.tolist(), hits.similarities.tolist(), strict=True
    ):
        if product in known:
            source, object_id, group, categories, values = known[product]
            ref = ProductRef(source, object_id)
            named = _named(categories), _values(values)
            found.append(Found(product, ref, image, similarity, group, *named))
    return found


@lru_cache(maxsize=4)
def _entries_statement(alias: str) -> str:
    """Looks up entries by ``KEYS``; built once, since Django builds it in thrice the time the database takes."""
    rows = CatalogueEntry.objects.filter(pk__in=RawSQL(KEYS, ()))  # noqa: S611 - our own whole numbers
    texts = [Cast(name, TextField()) for name in ("categories", "filters")]  # few sets: each is parsed once
    fields = rows.values_list("pk", "source", "object_id", "group", *texts)
    return str(fields.query.get_compiler(alias).as_sql()[0])


@lru_cache(maxsize=4096)
def _named(categories: str) -> tuple[tuple[str, str], ...]:
    return tuple((one["id"], one["name"]) for one in json.loads(categories))


@lru_cache(maxsize=4096)
def _values(filters: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(values)) for name, values in json.loads(filters).items())


def _visible(found: Sequence[Found], context: Any) -> list[Found]:
    """Those that exist in the shop now and that it lets the visitor see; order kept."""
    allowed = frozenset(visible_refs([one.ref for one in found], context))
    return [one for one in found if one.ref in allowed]


def _own_file_first(found: list[Found], digest: str) -> list[Found]:
    """The product whose photo is byte for byte the query comes first, whoever else shares the look."""
    if not digest or not found:
        return found
    own = set(CatalogueImage.objects.filter(content_digest=digest).values_list("entry_id", flat=True)[:100])
    return sorted(found, key=lambda one: one.entry_id not in own)


def _fold_variants(found: Sequence[Found]) -> list[Found]:
    """The nearest of each group of variants."""
    best: dict[str, Found] = {}
    for one in found:
        best.setdefault(one.group, one)
    return list(best.values())


def narrow_by_text(text: str, where: Filter) -> Filter:
    """The filter, narrowed to products whose title, description or category hold every word of the text."""
    words = text.lower().split()
    if not words:
        return where
    condition = Q()
    for word in words:
        condition &= Q(text__contains=word)
    keys = frozenset(CatalogueEntry.objects.filter(condition).values_list("pk", flat=True)[:TEXT_LIMIT])
    products = keys if where.products is None else keys & where.products
    return replace(where, products=products)


def category_vote(found: Sequence[Found]) -> dict[str, Any] | None:
    """The category most of the nearest products are in, weighted by similarity; None when they have none."""
    voters = found[:VOTERS]
    votes: dict[str, float] = {}
    names: dict[str, str] = {}
    total = 0.0
    for one in voters:
        weight = max(one.similarity, 0.0) ** 4 + 1e-6  # near neighbours speak louder
        total += weight
        for key, name in one.categories:
            votes[key] = votes.get(key, 0.0) + weight
            names[key] = name
    if not votes:
        return None
    best = max(votes, key=lambda key: votes[key])
    return {
        "id": best,
        "name": names[best],
        "probability": round(votes[best] / total, 3),
        "source": "predicted",
    }


def facets(found: Sequence[Found]) -> dict[str, Any]:
    """How many of the products found have each category and each value of the shop's filters.

    Categories come in the order of the nearest product, values the commonest first.
    """
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    values: dict[str, Counter[str]] = {}
    for one in found:
        for key, name in one.categories:
            counts[key] = counts.get(key, 0) + 1
            names[key] = name
        for name, held in one.values:
            values.setdefault(name, Counter()).update(held)
    out: dict[str, Any] = {
        name: [{"id": value, "name": value, "count": n} for value, n in held.most_common(MOST_VALUES)]
        for name, held in values.items()
    }
    keys = list(counts)[:MOST_CATEGORIES]
    return {**out, "category": [{"id": key, "name": names[key], "count": counts[key]} for key in keys]}
