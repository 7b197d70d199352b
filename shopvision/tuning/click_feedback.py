"""Training pairs from photo searches and the products clicked, within consent."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from .. import metrics, timestamps
from ..catalogue.models import CatalogueEntry
from ..encoders.base import BlockSpec, Descriptors
from ..encoders.descriptor import pack, unpack
from ..encoders.projection import TrainingSet
from ..events.bot_filter import permission_of
from ..events.history import OUTCOMES
from ..events.models import Event, Kind
from ..exceptions import InvalidRequest
from ..index.models import EncoderRelease
from ..privacy import pseudonyms
from ..privacy.consent import BITS
from .models import PhotoQuery

LEAST_PAIRS = 40  # of photo and product; half of them judge, and fewer than twenty say nothing
MOST_PAIRS = 5000  # the latest
WEIGHT = {Kind.CLICK.value: 1, Kind.BASKET_ADD.value: 2, Kind.PURCHASE.value: 3}


@dataclass(frozen=True, slots=True, eq=False)
class Clicked:
    """Shoppers' photos, each of the product chosen of its answer.

    Args:
        photos: with the entries' keys as products. at: when each was searched with, seconds since 1970.
    """

    photos: TrainingSet
    at: np.ndarray

    @property
    def until(self) -> float:
        """When the last one was searched with."""
        return float(self.at.max())

    def since(self, moment: float | None) -> np.ndarray:
        """Which are later than a time that an earlier fit had learned up to; all of them without one."""
        return self.at > (-np.inf if moment is None else moment)


def remember(request: Any, listing: str, backbone_digest: str, looks: Descriptors) -> bool:
    """Keep what a photo looked like, if its shopper agreed to improvement; whether it was kept. Never raises.

    Args:
        listing: id of the answer. looks: described views, the whole photo first.
    """
    try:
        permission = permission_of(request)
        if not (permission.rows and permission.purposes & BITS["improvement"]):
            return False
        with transaction.atomic():
            PhotoQuery.objects.create(
                listing=uuid.UUID(listing).hex,
                subject=pseudonyms.pseudonym(permission.subject, timezone.now()),
                backbone_digest=backbone_digest,
                data=pack(looks, 0),
            )
    except DatabaseError as error:
        metrics.count("photo_query_not_kept")
        metrics.log.warning("a photo query was answered but not kept to learn from: %s", error)
        return False
    return True


def clicked(row: EncoderRelease, known: np.ndarray, blocks: tuple[BlockSpec, ...]) -> Clicked:
    """Photos searched with, as further photos of the product that was chosen of their answer.

    Of several products the one bought, or put into the basket, or clicked last, counts.

    Args:
        row: release whose encoder described them; photos described by another one are left out.
        known: keys of the entries that may be learned of.
        blocks: specs of that encoder.

    Raises:
        InvalidRequest: fewer than ``LEAST_PAIRS`` (``too_few_clicks``).
    """
    queries = PhotoQuery.objects.filter(backbone_digest=row.backbone_digest).order_by("-at")
    data = {one.listing: (bytes(one.data), one.at.timestamp()) for one in queries[:MOST_PAIRS]}
    products = _chosen(list(data))
    entries = _entries(set(products.values()))
    allowed = set(known.tolist())
    pairs = [
        (*data[listing], entries[ref]) for listing, ref in products.items() if entries.get(ref) in allowed
    ]
    pairs.sort(key=itemgetter(1))
    if len(pairs) < LEAST_PAIRS:
        raise InvalidRequest(
            "too_few_photo_clicks", code="too_few_clicks", count=len(pairs), least_pairs=LEAST_PAIRS
        )
    packed, at, wanted = zip(*pairs, strict=True)
    photos = TrainingSet(unpack(packed), np.array(wanted), np.zeros(len(pairs), bool), blocks)
    return Clicked(photos, np.array(at))


def enough_since(row: EncoderRelease) -> bool:
    """Have photo searches led to ``LEAST_PAIRS`` choices that a release has not learned from."""
    queries = PhotoQuery.objects.filter(backbone_digest=row.backbone_digest).order_by("-at")
    until = row.metrics.get("clicks_until")
    if until is not None:
        queries = queries.filter(at__gt=timestamps.from_seconds(until))
    listings = list(queries.values_list("listing", flat=True)[:MOST_PAIRS])
    return len(listings) >= LEAST_PAIRS and len(_chosen(listings)) >= LEAST_PAIRS


def _chosen(listings: list[str]) -> dict[str, str]:
    """The product chosen of each listing, as far as there is one."""
    allowed = Event.objects.annotate(improves=F("purposes").bitand(BITS["improvement"]))
    best: dict[str, tuple[int, str]] = {}
    for start in range(0, len(listings), 500):
        rows = allowed.filter(
            listing__in=listings[start : start + 500], kind__in=OUTCOMES, improves=BITS["improvement"]
        )
        for listing, kind, product in rows.order_by("at", "pk").values_list("listing", "kind", "product"):
            if WEIGHT[kind] >= best.get(listing, (0, ""))[0]:
                best[listing] = (WEIGHT[kind], product)
    return {listing: product for listing, (_, product) in best.items()}


def _entries(refs: set[str]) -> dict[str, int]:
    sources = {ref.partition(":")[0] for ref in refs}
    keys = {ref.partition(":")[2] for ref in refs}
    rows = CatalogueEntry.objects.filter(source__in=sources, object_id__in=keys)
    found = {f"{source}:{key}": pk for source, key, pk in rows.values_list("source", "object_id", "pk")}
    return {ref: found[ref] for ref in refs if ref in found}
