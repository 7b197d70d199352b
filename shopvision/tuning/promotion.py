"""Promote or roll back an encoder release, with changes made meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from .. import jobs
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..exceptions import Misconfigured
from ..index.models import EncoderRelease
from ..indexing import encoder_releases
from ..indexing.change_feed import missing_embeddings
from ..indexing.embeddings import build_steps
from ..indexing.pipeline import index_products
from ..types import ProductRef

State = EncoderRelease.State
INSTANT_PHOTOS = 3000  # embedded within the time a request may take, about three seconds
PRODUCTS_PER_STEP = 100  # looked at together where a release lacks their photos


def promote(row: EncoderRelease, user: Any = None, *, back: bool = False) -> EncoderRelease:
    """Bring a release of any state up to the catalogue of now and make it live; the one replaced is kept.

    While it is built every change is written to it too, as to the live one. Photos that came after its
    encoder was last in use are described by it first. If that fails its state is what it was.

    Args:
        user, back: as ``artefacts.go_live`` takes them.

    Raises:
        ShopvisionError: it cannot be opened here, or nothing can be described; the live release stays.
    """
    for _ in promotion_steps(row, user, back=back):
        pass
    return EncoderRelease.objects.get(pk=row.pk)


def promotion_steps(
    row: EncoderRelease, user: Any = None, *, back: bool = False
) -> Generator[int, None, None]:
    """The same step by step: products brought up to date by each; the release is live when it ends."""
    live = encoder_releases.live()
    if row.pk == live.row.pk:
        return
    encoder_releases.open_release(row)
    rows, before = EncoderRelease.objects.filter(pk=row.pk), row.state
    rows.update(state=State.BUILDING)
    try:
        if not _is_built(row, before):
            yield from build_steps(row)
            yield from _describe_missing(row, live)
        encoder_releases.activate(row, user, back=back)
    except BaseException:  # a cancelled job closes its steps
        rows.filter(state=State.BUILDING).update(state=before)
        raise


def _is_built(row: EncoderRelease, state: str) -> bool:
    """A candidate is written to like the live release, so one that lacks no photo is complete."""
    return state == State.CANDIDATE and not missing_embeddings(row).exists()


def _describe_missing(row: EncoderRelease, live: encoder_releases.LiveRelease) -> Iterator[int]:
    """Look again at products with a photo that the release's encoder has not seen."""
    lacking = CatalogueEntry.objects.filter(pk__in=missing_embeddings(row).values("entry_id"))
    refs = [ProductRef(*pair) for pair in lacking.order_by("pk").values_list("source", "object_id")]
    for start in range(0, len(refs), PRODUCTS_PER_STEP):
        part = refs[start : start + PRODUCTS_PER_STEP]
        index_products(part, release=live)
        yield len(part)


def photos_to_embed(row: EncoderRelease) -> int:
    """Photos that are embedded anew before the release can answer."""
    if row.state == State.LIVE or _is_built(row, row.state):
        return 0
    return CatalogueImage.objects.filter(state=CatalogueImage.State.INDEXED).count()


def promote_or_queue(row: EncoderRelease, user: Any = None, *, back: bool = False) -> jobs.Job | None:
    """Promote now, or have a worker do it where it takes longer than a request may: the job, else None.

    Args:
        user, back: as ``artefacts.go_live`` takes them.

    Raises:
        ShopvisionError: as ``promote``.
    """
    if photos_to_embed(row) > INSTANT_PHOTOS:
        return jobs.start("promote", {"release": row.pk, "back": back}, user)
    promote(row, user, back=back)
    return None


def predecessor() -> EncoderRelease:
    """The release before the live one.

    Raises:
        Misconfigured: there is none.
    """
    row = EncoderRelease.objects.filter(state=State.LIVE).select_related("previous").first()
    if row is None or row.previous is None:
        raise Misconfigured("no_earlier_encoder_release")
    return row.previous


def rollback() -> EncoderRelease:
    """Bring back the release before the live one, with every change that came since; the release now live.

    Twice leads two releases back.

    Raises:
        Misconfigured: there is none.
    """
    return promote(predecessor(), back=True)
