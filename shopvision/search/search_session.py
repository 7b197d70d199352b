"""Store a search for its further pages; record demand."""

from __future__ import annotations

import re
import string
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from .. import conf, metrics, timestamps
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..catalogue.product_facts import facts_now, passes_now
from ..catalogue.visibility import visible_refs
from ..encoders.base import Descriptors
from ..encoders.descriptor import unpack
from ..events.bot_filter import permission_of
from ..exceptions import InvalidRequest
from ..index.models import Descriptor
from ..indexing.encoder_releases import LiveRelease
from ..tuning.models import PhotoQuery
from ..types import EVERYTHING, Filter, Hit, Listing, Match, ProductRef
from .match import percentiles
from .models import Demand, StoredSearch
from .query import Found

MOST_WORDS = 8  # of a text that are looked up
MOST_ROWS = 1000  # products that a word is looked for in: one that many texts hold and no title is dropped
EDGES = string.punctuation.replace("@", "") + "\u3001\u3002\uff0c\uff01\uff1f"
UNSPACED = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")  # scripts that put no space between words


def write(
    found: Listing,
    shown: Sequence[Found],
    quantiles: Sequence[float],
    kind: str,
    laps: Mapping[str, float],
    took_ms: float,
    where: Filter = EVERYTHING,
    why: Mapping[ProductRef, Sequence[str]] = MappingProxyType({}),
) -> bool:
    """Keep a search; False when the database would not take it now, and the answer has no further pages."""
    shares = percentiles([one.similarity for one in shown], quantiles)
    payload = {
        "hits": [
            [
                str(one.ref),
                one.image_id,
                round(one.similarity, 4),
                share and round(share, 2),
                list(why.get(one.ref, ())),
            ]
            for one, share in zip(shown, shares, strict=True)
        ],
        "match": [found.match.level, found.match.probability] if found.match else None,
        "query": dict(found.query),
        "facets": dict(found.facets),
        "encoder": found.encoder,
        "index": dict(found.index),
        "where": [None if bound is None else str(bound) for bound in (where.price_min, where.price_max)]
        + [where.in_stock],
    }
    try:
        with transaction.atomic():
            StoredSearch.objects.create(
                id=uuid.UUID(found.id),
                kind=kind,
                payload=payload,
                took_ms=took_ms,
                encode_ms=laps.get("encode", 0.0),
            )
    except DatabaseError as error:
        metrics.count("search_not_stored")
        metrics.log.warning("a search was answered but not stored: %s", error)
        return False
    return True


def read(search_id: uuid.UUID) -> dict[str, Any]:
    """What was kept.

    Raises:
        InvalidRequest: it is unknown, or older than SEARCH_TTL_SECONDS (code ``not_found``).
    """
    since = timezone.now() - timedelta(seconds=conf.SEARCH_TTL_SECONDS)
    row = StoredSearch.objects.filter(pk=search_id, created_at__gte=since).first()
    if row is None:
        raise InvalidRequest("search_unknown_or_expired", code="not_found")
    return dict(row.payload)


def page(
    kept: Mapping[str, Any], offset: int, limit: int, context: Any
) -> tuple[tuple[Hit, ...], list[ProductRef]]:
    """One page's hits, and every reference of the search in order.

    Products that are hidden by now, or whose price or stock no longer pass the filter, keep their place, empty.
    """
    rows = [(ProductRef.parse(ref), *rest) for ref, *rest in kept["hits"]]
    part = rows[offset : offset + limit]
    low, high, in_stock = kept.get("where") or (None, None, None)
    where = Filter(
        price_min=Decimal(low) if low else None, price_max=Decimal(high) if high else None, in_stock=in_stock
    )
    facts = facts_now(visible_refs([row[0] for row in part], context))
    images = CatalogueImage.objects.filter(pk__in=[row[1] for row in part])
    names = dict(images.values_list("pk", "name"))
    hits = tuple(
        Hit(ref, similarity, share, names.get(image, ""), tuple(why), facts=facts[ref])
        for ref, image, similarity, share, why in part
        if ref in facts and passes_now(where, facts[ref])
    )
    return hits, [row[0] for row in rows]


def match_of(kept: Mapping[str, Any]) -> Match | None:
    """The match as it was said on the first page."""
    return Match(*kept["match"]) if kept["match"] else None


def forget(search_id: uuid.UUID) -> None:
    """Delete a search, and what its photo looked like."""
    StoredSearch.objects.filter(pk=search_id).delete()
    PhotoQuery.objects.filter(listing=search_id.hex).delete()


def record_demand(context: Any, category: str, colour: str, text: str) -> None:
    """Count a photo of something the shop does not sell, in words; a failure is logged and harmless.

    Args:
        context: the request; of a visitor who lets nothing be counted, nothing is.
        text: as typed; what is kept of it are ``catalogue_words``.
    """
    try:
        with transaction.atomic():
            if not permission_of(context).counts:
                return
            key: dict[str, Any] = {
                "day": timestamps.today(),
                "category": category[:255],
                "colour": colour[:32],
                "text": catalogue_words(text)[:200],
            }
            row, _ = Demand.objects.get_or_create(**key)
            Demand.objects.filter(pk=row.pk).update(count=F("count") + 1)
    except DatabaseError as error:
        metrics.log.warning("demand was not recorded: %s", error)


def catalogue_words(text: str) -> str:
    """Of a text, the words that a title or a category of the catalogue has too, each once, in their order.

    What a shopper types may name a person: an address of e-mail, a telephone number, a name. A word counts as
    it stands between spaces, and needs a letter and no ``@``.
    """
    words = dict.fromkeys(word.strip(EDGES) for word in text.lower().split())
    asked = [word for word in words if "@" not in word and any(letter.isalpha() for letter in word)]
    return " ".join(word for word in asked[:MOST_WORDS] if _is_of_catalogue(word))


def _is_of_catalogue(word: str) -> bool:
    rows = CatalogueEntry.objects.filter(text__contains=word).values_list("title", "categories")
    spaced = rf"(?<!\w){re.escape(word)}(?!\w)"
    whole = re.compile(re.escape(word) if UNSPACED.search(word) else spaced)
    return any(
        whole.search(name.lower())
        for title, categories in rows[:MOST_ROWS]
        for name in (title, *(one["name"] for one in categories))
    )


def descriptors_of_entry(live: LiveRelease, entry_id: int) -> Descriptors:
    """The product's catalogue image, described; nothing where there is none."""
    rows = Descriptor.objects.filter(image__entry_id=entry_id, backbone_digest=live.row.backbone_digest)
    data = rows.order_by("image__position").values_list("data", flat=True).first()
    return unpack([bytes(data)]) if data else {}


def colours_of_entry(entry_id: int) -> tuple[str, ...]:
    """Names of the catalogue image's colours."""
    rows = CatalogueImage.objects.filter(entry_id=entry_id).order_by("position")
    colours = rows.values_list("colours", flat=True).first() or []
    return tuple(str(one["name"]) for one in colours)
