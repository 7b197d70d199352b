"""Drift between the shop's tables, ours and the index: queued for repair, counted, kept for the pages."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from .. import timestamps
from ..catalogue import outbox
from ..catalogue.models import CatalogueEntry, Outbox
from ..catalogue.reconcile import Drift, drift
from ..catalogue.reconcile import reconcile as queue_drift
from ..exceptions import ShopvisionError, TemporaryFailure
from ..index.models import EncoderRelease
from ..types import ProductRef
from . import encoder_releases
from .change_feed import missing_embeddings, verify
from .embeddings import sweep
from .models import Reading

DRIFT = "drift"  # name of the reading


def drift_known() -> dict[str, Any]:
    """How far the shop's tables, ours and the index were apart when a worker last looked; all zero when well.

    ``total`` and ``checked_at`` are None until one has looked: counting walks the whole catalogue.
    """
    row = Reading.objects.filter(pk=DRIFT).first()
    return dict(row.value) if row else {"total": None, "checked_at": None}


def count_drift() -> dict[str, Any]:
    """Look now and keep the answer for the pages; a worker's business."""
    return keep_drift(drift())


def keep_drift(catalogue: Drift) -> dict[str, Any]:
    """Keep what a walk over the catalogue found, with the index's own drift beside it."""
    answer: dict[str, Any] = {
        "missing": len(catalogue.missing),
        "stale": len(catalogue.stale),
        "extra": len(catalogue.extra),
        "index": 0,
        "checked_at": timestamps.as_text(timezone.now()),
    }
    try:
        answer["index"] = verify(encoder_releases.live()).total
    except ShopvisionError as error:
        answer["problem"] = str(error)
    answer["total"] = answer["missing"] + answer["stale"] + answer["extra"] + answer["index"]
    Reading.objects.update_or_create(pk=DRIFT, defaults={"value": answer, "taken_at": timezone.now()})
    return answer


def queue_differences() -> dict[str, int]:
    """Queue every product that differs between the shop, our tables and the embeddings; how many of each.

    Besides what the catalogue's reconciler finds, that is products whose photos nobody finished (a worker
    died on them outside the outbox), and embeddings without a product, which are buried at once.
    """
    found = queue_drift()
    keep_drift(found)
    answer = {"missing": len(found.missing), "stale": len(found.stale), "extra": len(found.extra)}
    try:
        row = encoder_releases.live().row
    except TemporaryFailure:  # a shop without photos has no release yet, and nothing to finish
        return answer
    known = set(found.refs())
    unfinished = [ref for ref in unfinished_products(row) if ref not in known]
    outbox.record_changes(unfinished)
    return {**answer, "unfinished": len(unfinished), "orphaned": sweep(row)}


def unfinished_products(row: EncoderRelease) -> list[ProductRef]:
    """Products with a usable photo that has no embedding, or that are pending, and that nobody has queued."""
    queued = Outbox.objects.filter(source=OuterRef("source"), object_id=OuterRef("object_id"))
    lacking = missing_embeddings(row).values("entry_id")
    found = CatalogueEntry.objects.filter(Q(state=CatalogueEntry.State.PENDING) | Q(pk__in=lacking))
    pairs = found.filter(~Exists(queued)).values_list("source", "object_id")
    return [ProductRef(source, object_id) for source, object_id in pairs]
