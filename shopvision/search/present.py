"""Present found products as hits with current facts, percentiles and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..catalogue.models import CatalogueImage
from ..catalogue.product_facts import facts_now, passes_now
from ..encoders.base import Descriptors
from ..encoders.descriptor import unpack
from ..index.models import Descriptor
from ..indexing.encoder_releases import LiveRelease
from ..types import EVERYTHING, Filter, Hit, ProductRef
from .match import percentiles
from .match_reasons import alike, reasons
from .query import Found

Reasons = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked: descriptors (one row) and colour names to give reasons from, and the filter."""

    descriptors: Descriptors = field(default_factory=dict)
    colours: tuple[str, ...] = ()
    where: Filter = EVERYTHING


def present(
    live: LiveRelease, found: Sequence[Found], query: Query, limit: int, *, later: bool = False
) -> tuple[tuple[Hit, ...], tuple[Found, ...], dict[ProductRef, Reasons]]:
    """The first ``limit`` hits; all that was found less what the shop's price and stock of now rule out; reasons.

    Only as many products are loaded as it takes to fill the page.

    Args:
        later: reasons of the later pages too. A photo search leaves them out: nothing of the photo is kept to
            give them from, and giving all hundred at once took 9 ms a search.
    """
    hits: list[Hit] = []
    kept: list[Found] = []
    photos = _photos(live, found, query) if later else {}
    quantiles = live.row.background.get("quantiles") or []
    place = 0
    while len(hits) < limit and place < len(found):
        part = found[place : place + limit - len(hits)]
        place += len(part)
        facts = facts_now([one.ref for one in part])
        passing = [one for one in part if one.ref in facts and passes_now(query.where, facts[one.ref])]
        if not later:
            photos |= _photos(live, passing, query)
        shares = percentiles([one.similarity for one in passing], quantiles)
        hits += [
            Hit(
                one.ref,
                round(one.similarity, 4),
                share,
                *photos.get(one.image_id, ("", ())),
                facts=facts[one.ref],
            )
            for one, share in zip(passing, shares, strict=True)
        ]
        kept += passing
    kept += found[place:]
    return tuple(hits), tuple(kept), {one.ref: photos.get(one.image_id, ("", ()))[1] for one in kept}


def _photos(
    live: LiveRelease, found: Sequence[Found], query: Query
) -> dict[int, tuple[str, tuple[str, ...]]]:
    """By photo its name in the shop's storage, and what it shares with the query in words; one query."""
    ids = [one.image_id for one in found]
    limits = live.row.background.get("families") or {}
    if not query.descriptors or not limits:
        names = CatalogueImage.objects.filter(pk__in=ids).values_list("pk", "name")
        return {pk: (name, ()) for pk, name in names}
    rows = Descriptor.objects.filter(image_id__in=ids, backbone_digest=live.row.backbone_digest)
    stored = list(rows.values_list("image_id", "image__name", "image__colours", "data"))
    similar = alike(query.descriptors, unpack([bytes(data) for *_, data in stored]), live.encoder.spec.blocks)
    return {
        image_id: (name, reasons(row, limits, query.colours, [one["name"] for one in colours]))
        for (image_id, name, colours, _), row in zip(stored, similar, strict=True)
    }
