"""Make another release the live one, or go back: whatever changed meanwhile is in it before it answers."""

from __future__ import annotations

from ..catalogue.models import CatalogueEntry
from ..exceptions import Misconfigured
from ..index.models import EncoderRelease
from ..indexing import releases
from ..indexing.embeddings import build_release
from ..indexing.follow import missing_embeddings
from ..indexing.write import index_products
from ..types import ProductRef

State = EncoderRelease.State
PRODUCTS_PER_STEP = 100  # looked at together where a release lacks their photos


def promote(row: EncoderRelease) -> EncoderRelease:
    """Bring a release of any state up to the catalogue of now and make it live; the one replaced is kept.

    While it is built every change is written to it too, as to the live one. Photos that came after its
    encoder was last in use are described by it first. If that fails its state is what it was.

    Raises:
        ShopvisionError: it cannot be opened here, or nothing can be described; the live release stays.
    """
    live = releases.live()
    if row.pk == live.row.pk:
        return row
    releases.open_release(row)
    rows, before = EncoderRelease.objects.filter(pk=row.pk), row.state
    rows.update(state=State.BUILDING)
    try:
        build_release(row)
        _describe_missing(row, live)
        return releases.activate(row)
    except BaseException:
        rows.filter(state=State.BUILDING).update(state=before)
        raise


def _describe_missing(row: EncoderRelease, live: releases.LiveRelease) -> None:
    """Look again at products with a photo that the release's encoder has not seen."""
    lacking = CatalogueEntry.objects.filter(pk__in=missing_embeddings(row).values("entry_id"))
    refs = [ProductRef(*pair) for pair in lacking.order_by("pk").values_list("source", "object_id")]
    for start in range(0, len(refs), PRODUCTS_PER_STEP):
        index_products(refs[start : start + PRODUCTS_PER_STEP], release=live)


def rollback() -> EncoderRelease:
    """Bring back the release before the live one, with every change that came since; the release now live.

    Raises:
        Misconfigured: there is none.
    """
    row = EncoderRelease.objects.filter(state=State.LIVE).select_related("previous").first()
    if row is None or row.previous is None:
        raise Misconfigured("there is no release before the live one to roll back to")
    return promote(row.previous)
