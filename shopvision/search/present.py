"""Products found -> hits as a page shows them: the shop's facts of now, percentile, reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..catalogue.models import CatalogueImage
from ..index.models import Descriptor
from ..indexing.releases import LiveRelease
from ..types import EVERYTHING, Filter, Hit
from ..vision.base import Descriptors
from ..vision.descriptor import unpack
from .match import percentile
from .query import Found, facts_now, passes_now
from .why import alike, reasons


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked: descriptors (one row) and colour names to give reasons from, and the filter."""

    descriptors: Descriptors = field(default_factory=dict)
    colours: tuple[str, ...] = ()
    where: Filter = EVERYTHING


def present(
    live: LiveRelease, found: Sequence[Found], query: Query, limit: int
) -> tuple[tuple[Hit, ...], tuple[Found, ...]]:
    """The first ``limit`` hits, and all that was found less what the shop's price and stock of now rule out.

    Only as many products are loaded as it takes to fill the page.
    """
    hits: list[Hit] = []
    kept: list[Found] = []
    place = 0
    while len(hits) < limit and place < len(found):
        part = found[place : place + limit - len(hits)]
        place += len(part)
        facts = facts_now([one.ref for one in part])
        passing = [one for one in part if one.ref in facts and passes_now(query.where, facts[one.ref])]
        why = _why(live, passing, query)
        names = _image_names(passing)
        quantiles = live.row.background.get("quantiles") or []
        hits += [
            Hit(
                one.ref,
                round(one.similarity, 4),
                percentile(one.similarity, quantiles),
                names.get(one.image_id, ""),
                why.get(one.image_id, ()),
                facts=facts[one.ref],
            )
            for one in passing
        ]
        kept += passing
    return tuple(hits), (*kept, *found[place:])


def result(hit: Hit) -> dict[str, Any]:
    """A hit as plain values, as the API and the templates show it."""
    price = hit.facts.get("price")
    return {
        "product": str(hit.product),
        "url": hit.facts.get("url") or "",
        "title": hit.facts.get("title") or "",
        "image": hit.facts.get("image") or None,
        "price": None if price is None else str(price),
        "in_stock": bool(hit.facts.get("in_stock", True)),
        "similarity": round(hit.similarity, 4),
        "percentile": round(hit.percentile, 1),
        "why": list(hit.why),
        "region": list(hit.region.box()) if hit.region else None,
    }


def _image_names(found: Sequence[Found]) -> dict[int, str]:
    rows = CatalogueImage.objects.filter(pk__in=[one.image_id for one in found])
    return dict(rows.values_list("pk", "name"))


def _why(live: LiveRelease, found: Sequence[Found], query: Query) -> dict[int, tuple[str, ...]]:
    limits = live.row.background.get("families") or {}
    if not query.descriptors or not limits:
        return {}
    ids = [one.image_id for one in found]
    rows = Descriptor.objects.filter(image_id__in=ids, backbone_digest=live.row.backbone_digest)
    stored = list(rows.values_list("image_id", "data", "image__colours"))
    similar = alike(query.descriptors, unpack([bytes(data) for _, data, _ in stored]))
    return {
        image_id: reasons(row, limits, query.colours, [one["name"] for one in colours])
        for (image_id, _, colours), row in zip(stored, similar, strict=True)
    }
