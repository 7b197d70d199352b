"""Indexing pipeline: catalogue changes -> descriptors, embeddings, index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from .. import conf, metrics, signals
from ..catalogue import outbox
from ..catalogue.mirror import remove
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..exceptions import IndexUnavailable, Misconfigured, TemporaryFailure
from ..index.models import Descriptor, Embedding, EncoderRelease
from ..messages import Message, error_message
from ..types import ProductRef
from . import encoder_releases
from .change_feed import IndexDrift, follow, missing_embeddings, rebuild, verify
from .embeddings import WRITTEN, build_release, embed_products, lock, sweep
from .photos import UNREADABLE, Sighting, describe_photos
from .products import Product, load, photos_of
from .report import IndexReport

if TYPE_CHECKING:
    from .encoder_releases import LiveRelease

__all__ = [
    "IndexDrift",
    "IndexReport",
    "build_release",
    "drain_outbox",
    "ensure_live",
    "follow",
    "index_products",
    "missing_embeddings",
    "rebuild",
    "sweep",
    "verify",
]

PENDING, INDEXED, REJECTED = (
    CatalogueImage.State.PENDING,
    CatalogueImage.State.INDEXED,
    CatalogueImage.State.REJECTED,
)
SEEN_COLUMNS = (
    "content_digest",
    "perceptual_hash",
    "width",
    "height",
    "colours",
    "quality",
    "state",
    "reject_code",
    "reject_reason",
    "attempts",
    "changed_at",
)


def index_products(refs: Sequence[ProductRef], *, release: LiveRelease | None = None) -> IndexReport:
    """Bring some products up to date: projection, photos, descriptors, embeddings, index.

    Safe to repeat, and to run twice at once. What was already computed from the same bytes by the same
    encoder is not computed again. A photo that cannot be used is set aside with its reason; a product whose
    photos could not be read is reported in ``failed``; neither holds up the others.

    Args:
        refs: products that may have changed, appeared or gone; a few hundred at most.
        release: the live release, if the caller has it open.

    Raises:
        TemporaryFailure: there is no live release yet (``warming``), or the encoder or the whole storage is
            down; nothing is lost, and no product is to blame.
    """
    live = release or encoder_releases.live()
    report = IndexReport()
    targets = _targets(live)
    with report.stage("load"):
        products, gone = load(list(dict.fromkeys(refs)), report)
        photos = photos_of(products, [one.row.backbone_digest for one in targets])
    with report.stage("photos"):
        encoders = {one.row.backbone_digest: one.encoder for one in targets}
        seen = {one.id: one for one in describe_photos(photos, encoders)}
        _refuse_outage(seen.values(), products)
    with report.stage("write"):
        changed = _write(products, gone, seen, targets, report)
    with report.stage("follow"):
        _publish(targets, changed)
    _tell(changed, seen)
    return report


def _targets(live: LiveRelease) -> list[LiveRelease]:
    """The live release first, then those being built beside it: a change goes to all of them."""
    rows = EncoderRelease.objects.filter(state__in=WRITTEN).exclude(pk=live.row.pk).exclude(projection=None)
    found = [live]
    for row in rows:
        try:
            found.append(encoder_releases.open_release(row))
        except Misconfigured as error:  # this worker lacks an extra; building ends with a check for gaps
            metrics.log.warning("release %s cannot be written here: %s", row, error)
    return found


def _refuse_outage(seen: Collection[Sighting], products: Sequence[Product]) -> None:
    """Many products and not one photo readable: the storage is down, and no photo is to blame."""
    if len(products) > 1 and len(seen) > 1 and all(one.code == UNREADABLE for one in seen):
        reason = next(iter(seen)).reason
        raise TemporaryFailure("no_photo_readable", count=len(products), reason=reason)


def _write(
    products: Sequence[Product],
    gone: Sequence[ProductRef],
    seen: Mapping[int, Sighting],
    targets: Sequence[LiveRelease],
    report: IndexReport,
) -> list[Product]:
    """Store everything in one transaction; the products that changed."""
    with transaction.atomic():
        numbers = lock(one.row.pk for one in targets)
        _store_photos(products, seen, report)
        changed = _changed(products, seen, numbers)
        entries = [one.entry.pk for one in changed] + _remove(gone)
        for target in targets:
            if target.row.pk in numbers and entries:
                embed_products(target.row, target.projection, entries, numbers[target.row.pk])
        _set_states(changed)
    report.indexed += len(changed)
    report.unchanged += len(products) - len(changed)
    report.removed += len(gone)
    return changed


def _remove(gone: Sequence[ProductRef]) -> list[int]:
    """Drop the projections of products that left; the keys they had, for their tombstones."""
    keys: list[int] = []
    for ref in gone:
        entries = CatalogueEntry.objects.filter(source=ref.source, object_id=ref.object_id)
        keys += entries.values_list("pk", flat=True)
        remove(ref.source, ref.object_id)
    return keys


def _store_photos(products: Sequence[Product], seen: Mapping[int, Sighting], report: IndexReport) -> None:
    """Write what was seen to the photos' rows and descriptors; photos dropped meanwhile are left alone."""
    images = [image for one in products for image in one.images if image.pk in seen]
    there = CatalogueImage.objects.select_for_update().filter(pk__in=[image.pk for image in images])
    alive = set(there.values_list("pk", flat=True))
    changed = [image for image in images if image.pk in alive and _apply(image, seen[image.pk])]
    CatalogueImage.objects.bulk_create(
        changed, update_conflicts=True, unique_fields=["id"], update_fields=SEEN_COLUMNS
    )
    rows = [
        Descriptor(image=image, backbone_digest=name, content_digest=seen[image.pk].digest, data=data)
        for image in changed
        for name, data in seen[image.pk].packed.items()
    ]
    Descriptor.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["image", "backbone_digest"],
        update_fields=["content_digest", "data", "created_at"],
    )
    unusable = [image.pk for image in changed if image.state == REJECTED]
    Descriptor.objects.filter(image_id__in=unusable).delete()
    report.images += sum(1 for image in changed if seen[image.pk].packed)
    report.rejected += len(unusable)
    for one in products:
        reasons = [
            seen[i.pk].reason or Message("photo_failed")
            for i in one.images
            if i.pk in seen and seen[i.pk].may_pass and i.state != REJECTED
        ]
        if reasons:
            report.failed[one.ref] = reasons[0]


def _apply(image: CatalogueImage, seen: Sighting) -> bool:
    """Carry what was seen over to the photo's row; whether that changed it."""
    if seen.may_pass:
        image.attempts += 1
        image.reject_reason = seen.reason
        if image.attempts >= conf.MAX_ATTEMPTS:
            image.state, image.reject_code = REJECTED, seen.code
        return True
    if not (seen.code or seen.packed) and image.state != PENDING:
        return False
    for name, value in seen.facts.items():
        setattr(image, name, value)
    image.content_digest = seen.digest
    image.state = REJECTED if seen.code else INDEXED
    image.reject_code, image.reject_reason, image.attempts = seen.code, seen.reason, 0
    return True


def _changed(
    products: Sequence[Product], seen: Mapping[int, Sighting], releases_: Collection[int]
) -> list[Product]:
    """Products with something new, or without the embeddings of all their photos in every release."""
    stored = Counter(
        Embedding.objects.filter(
            entry_id__in=[one.entry.pk for one in products], release_id__in=releases_, vector__isnull=False
        ).values_list("entry_id", flat=True)
    )
    return [one for one in products if _is_new(one, seen, stored[one.entry.pk], len(releases_))]


def _is_new(product: Product, seen: Mapping[int, Sighting], stored: int, releases_: int) -> bool:
    touched = any(
        seen[image.pk].packed or seen[image.pk].code for image in product.images if image.pk in seen
    )
    usable = sum(image.state == INDEXED for image in product.images)
    return touched or not product.was_same or stored != usable * releases_


def _set_states(products: Sequence[Product]) -> None:
    """Say of each product where its photos stand, one UPDATE per state."""
    by_state: dict[str, list[int]] = {}
    for one in products:
        by_state.setdefault(_state(one.images), []).append(one.entry.pk)
    for state, keys in by_state.items():
        CatalogueEntry.objects.filter(pk__in=keys).update(state=state)


def _state(images: Sequence[CatalogueImage]) -> str:
    """One usable photo makes a product searchable; else it waits, or is set aside."""
    states = {image.state for image in images}
    for photo, product in (
        (INDEXED, CatalogueEntry.State.INDEXED),
        (PENDING, CatalogueEntry.State.PENDING),
        (REJECTED, CatalogueEntry.State.REJECTED),
    ):
        if photo in states:
            return product
    return CatalogueEntry.State.EMPTY


def _publish(targets: Sequence[LiveRelease], changed: Sequence[Product]) -> None:
    """Bring the indexes up to the rows just committed; if one is busy, its next reader does it."""
    try:
        for target in targets:
            follow(target)
    except IndexUnavailable as error:
        metrics.log.warning("the index follows later: %s", error)
        return
    keys = [one.entry.pk for one in changed]
    searchable = CatalogueEntry.objects.filter(pk__in=keys, state=CatalogueEntry.State.INDEXED)
    searchable.update(indexed_at=timezone.now())


def _tell(products: Sequence[Product], seen: Mapping[int, Sighting]) -> None:
    """Send the public signals of what is committed by now."""
    for product in products:
        for image in product.images:
            sighting = seen.get(image.pk)
            if sighting and sighting.packed:
                signals.image_indexed.send_robust(CatalogueImage, product=product.ref, image=image.name)
            elif sighting and sighting.code and image.state == REJECTED:
                signals.image_rejected.send_robust(
                    CatalogueImage,
                    product=product.ref,
                    image=image.name,
                    code=image.reject_code,
                    reason=image.reject_reason,
                )


def ensure_live() -> LiveRelease:
    """The live release; a shop that has none yet gets its first."""
    try:
        return encoder_releases.live()
    except TemporaryFailure as error:
        if error.code != "warming":
            raise
    encoder_releases.bootstrap()
    return encoder_releases.live()


def drain_outbox(limit: int | None = None) -> int:
    """Work off waiting changes, a batch at a time, until none is due; the number worked off.

    Several workers may drain at once: each change is held by one of them, under a lease. If the encoder or
    the storage is down, the changes in hand go back unblamed and draining stops; so it does at ``limit``.
    """
    done = 0
    while limit is None or done < limit:
        claim = outbox.claim(conf.BATCH_SIZE if limit is None else min(conf.BATCH_SIZE, limit - done))
        if not claim.changes:
            break
        try:
            _work_off(claim)
        except TemporaryFailure as error:
            metrics.log.warning("%d changes go back to the outbox: %s", len(claim.changes), error)
            outbox.release(claim, claim.changes, error.message, counts=False)
            break
        done += len(claim.changes)
    return done


def _work_off(claim: outbox.Claim) -> None:
    """Index what was claimed; a batch that fails as a whole goes one by one, so only the guilty is blamed."""
    live = ensure_live()
    try:
        failed = index_products(claim.changes, release=live).failed
    except TemporaryFailure:
        raise
    except Exception:  # noqa: BLE001 - whatever it was, the other products of the batch go on
        metrics.log.exception("a batch of %d changes failed; trying one by one", len(claim.changes))
        failed = _one_by_one(claim.changes, live)
    for ref, reason in failed.items():
        outbox.release(claim, [ref], reason)
    outbox.finish(claim)


def _one_by_one(refs: Sequence[ProductRef], live: LiveRelease) -> dict[ProductRef, Message]:
    failed: dict[ProductRef, Message] = {}
    for ref in refs:
        try:
            failed.update(index_products([ref], release=live).failed)
        except TemporaryFailure:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            failed[ref] = error_message(error)
    return failed
