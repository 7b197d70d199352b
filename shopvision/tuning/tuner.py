"""Fit the projection to the shop's photos, evaluate it, and promote it if better."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from .. import conf, metrics
from ..catalogue.adapter import catalogues
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..encoders.base import Descriptors, Encoder
from ..encoders.descriptor import unpack
from ..encoders.projection import MAX_FIT_PHOTOS, Projection, TrainingSet, augmented_views, fit, gallery
from ..exceptions import InvalidRequest
from ..index.models import Descriptor, EncoderRelease
from ..indexing import encoder_releases
from ..indexing.embeddings import build_release
from ..indexing.encoder_releases import LiveRelease
from ..indexing.photos import read_photo
from ..indexing.pipeline import index_products
from ..messages import Message
from ..types import ProductRef
from .background import background, family_background
from .click_feedback import clicked
from .holdout import Judgement, joined, judge, judge_clicks

MIN_PHOTOS = 20  # fewer photos teach a projection nothing that holds
MIN_PRODUCTS = 5  # ten pairs: fewer say nothing of what is usual
BACKGROUND_PHOTOS = 2000  # looked at to measure it
REMEASURE_AT = 1.5  # times as many photos as last time, or as few
LOST_AT_MOST = 0.005  # recall@1 on the shop's own photos that learning from clicks may cost
AUGMENTED_PHOTOS = 300  # photos that augmented views are made of
AUGMENTED_VIEWS = 4  # of each; what augmented_views makes
CHUNK = 16  # photos whose views are encoded together
Progress = Callable[[Message], None]
Views = tuple[dict[str, np.ndarray] | None, np.ndarray | None]


def _silent(message: Message) -> None:
    """Nobody watches."""


def tune(
    *, progress: Progress = _silent, dry_run: bool = False, force: bool = False, clicks: bool = False
) -> EncoderRelease:
    """Fit a projection to the catalogue's own photos, without labels; promote it if it finds more.

    Judged by recall@1 on photos held out of the fit (or on augmented views, where products have one photo),
    never on shoppers' photos unless asked to. The loser's row stays, with the reason. Safe to repeat: the
    same photos give the same release.

    Args:
        dry_run: only judge; nothing is promoted.
        force: promote even if it is no better.
        clicks: learn from shoppers' photos with the products they chose, too, and judge by those held out; it
            may find no less of the shop's own photos.

    Raises:
        TemporaryFailure: nothing is indexed yet.
        InvalidRequest: too few photos to learn from, or too few clicks.
    """
    steps = tuning(dry_run=dry_run, force=force, clicks=clicks)
    while True:
        try:
            progress(next(steps))
        except StopIteration as end:
            row: EncoderRelease = end.value
            return row


def tuning(
    *, dry_run: bool = False, force: bool = False, clicks: bool = False
) -> Generator[Message, None, EncoderRelease]:
    """``tune`` in steps: yields what it does next, returns the release."""
    live = encoder_releases.live()
    base = yield from _on_best_encoder(live)
    yield Message("reading_catalogue_photos")
    training = yield from load_sample(base)
    chosen = clicked(base.row, training.products, training.blocks) if clicks else None
    extra = chosen.photos if chosen is not None else None
    yield Message("judging_on_held_out_photos")
    verdict = judge(training, base.projection, dim=conf.EMBEDDING_DIM, extra=extra)
    photos = verdict
    if chosen is not None:
        fresh = chosen.since(live.row.metrics.get("clicks_until"))
        verdict = judge_clicks(training, chosen.photos, base.projection, dim=conf.EMBEDDING_DIM, fresh=fresh)
    yield Message("fitting_on_every_photo")
    projection = fit(training if extra is None else joined(training, extra), dim=conf.EMBEDDING_DIM)
    metrics = _metrics(projection, verdict, base)
    if chosen is not None:
        metrics |= {
            "own_photos": photos.as_dict(),
            "clicks": len(chosen.photos),
            "clicks_until": chosen.until,
        }
    row = encoder_releases.make_release(base.encoder, _graph_of(base.row), projection, metrics)
    if row.pk == live.row.pk:
        return row
    yield Message("measuring_background")
    EncoderRelease.objects.filter(pk=row.pk).update(metrics=metrics, background=measure(training, projection))
    row.refresh_from_db()
    better = verdict.candidate > verdict.current or (encoder_releases.is_generic(live.row) and verdict.tie)
    better = better and (chosen is None or photos.candidate >= photos.current - LOST_AT_MOST)
    return (yield from _decide(row, live, base, verdict, dry_run=dry_run, promote=better or force))


def _decide(
    row: EncoderRelease,
    live: LiveRelease,
    base: LiveRelease,
    verdict: Judgement,
    *,
    dry_run: bool,
    promote: bool,
) -> Generator[Message, None, EncoderRelease]:
    """Build and promote the candidate, or set it aside with the reason."""
    others = EncoderRelease.objects.filter(
        state__in=(EncoderRelease.State.BUILDING, EncoderRelease.State.CANDIDATE)
    )
    others.exclude(pk=row.pk).update(
        state=EncoderRelease.State.RETIRED
    )  # else every change is written to them too
    if base.row.pk != live.row.pk:  # the stepping stone to another encoder has served
        EncoderRelease.objects.filter(pk=base.row.pk).update(state=EncoderRelease.State.RETIRED)
    if dry_run or not promote:
        state = EncoderRelease.State.CANDIDATE if dry_run else EncoderRelease.State.FAILED
        EncoderRelease.objects.filter(pk=row.pk).update(state=state)
        row.refresh_from_db()
        return row
    yield Message("embedding_under_new_release")
    EncoderRelease.objects.filter(pk=row.pk).update(state=EncoderRelease.State.BUILDING)
    build_release(row)
    EncoderRelease.objects.filter(pk=row.pk).update(state=EncoderRelease.State.CANDIDATE)
    row.refresh_from_db()
    metrics.event("release_tuned", release=str(row), **verdict.as_dict())
    return encoder_releases.activate(row)


def _metrics(projection: Projection, verdict: Judgement, base: LiveRelease) -> dict[str, Any]:
    return {
        "recipe": dict(projection.recipe),
        "recall@1": verdict.candidate,
        "compared_with": {"release": str(base.row), "recall@1": verdict.current},
        "judged_on": {"queries": verdict.queries, "kind": verdict.kind},
    }


def _on_best_encoder(live: LiveRelease) -> Generator[Message, None, LiveRelease]:
    """The live release, or one on the encoder the settings ask for by now, with every photo described.

    A young shop starts without photos to calibrate int8 on; ``SHOPVISION["ENCODER"]`` may have changed.
    """
    name = conf.backend(conf.ENCODER).path
    wanted_int8 = conf.PRECISION != "fp32" and ":" in name
    settled = live.row.backbone == name and (live.row.precision == "int8") == wanted_int8
    if settled or (live.row.backbone == name and ":" not in name):
        return live
    encoder, graph = encoder_releases.first_encoder()
    if encoder.spec.digest == live.encoder.spec.digest:
        return live
    yield Message(
        "describing_photos_with_encoder", {"name": encoder.spec.name, "precision": encoder.spec.precision}
    )
    row = encoder_releases.make_release(
        encoder, graph, encoder_releases.generic_for(encoder), {"recipe": {"kind": "generic"}}
    )
    yield from _describe_all(live)
    return encoder_releases.open_release(row)


def _describe_all(live: LiveRelease) -> Generator[Message, None, None]:
    """Bring every product up to date under every release that is written to."""
    refs = [ProductRef(*pair) for pair in CatalogueEntry.objects.values_list("source", "object_id")]
    size = 4 * conf.BATCH_SIZE
    for start in range(0, len(refs), size):
        index_products(refs[start : start + size], release=live)
        yield Message(
            "described_photos_of_products", {"value": min(start + size, len(refs)), "count": len(refs)}
        )


def _graph_of(row: EncoderRelease) -> bytes | None:
    return encoder_releases.artefact(row.graph_id) if row.graph_id else None


def load_sample(live: LiveRelease) -> Generator[Message, None, TrainingSet]:
    """Descriptors of up to MAX_FIT_PHOTOS photos, whole products, with augmented views of some.

    Raises:
        InvalidRequest: fewer than MIN_PHOTOS photos are described.
    """
    count = usable_descriptors(live.row).count()
    if count < MIN_PHOTOS:
        raise InvalidRequest("too_few_photos_to_tune", count=count, min_photos=MIN_PHOTOS)
    blocks, products, images = _stored(live.row, MAX_FIT_PHOTOS)
    augmented, of = yield from _augmented(live.encoder, images)
    return TrainingSet(blocks, products, _firsts(products), live.encoder.spec.blocks, augmented, of)


def _stored(row: EncoderRelease, most: int) -> tuple[Descriptors, np.ndarray, list[int]]:
    """Stored descriptors of whole products, spread evenly: blocks, entry and photo keys, in their order."""
    rows = usable_descriptors(row)
    keys = list(rows.order_by("image__entry_id", "image__position").values_list("pk", "image__entry_id"))
    step = -(-len(keys) // most)
    picked = [pk for pk, entry in keys if step == 1 or entry % step == 0]
    data: list[bytes] = []
    images: list[int] = []
    entries: list[int] = []
    for start in range(0, len(picked), 1000):
        page = rows.filter(pk__in=picked[start : start + 1000]).order_by("image__entry_id", "image__position")
        for blob, image, entry in page.values_list("data", "image_id", "image__entry_id"):
            data.append(bytes(blob))
            images.append(image)
            entries.append(entry)
    return unpack(data), np.array(entries), images


def _firsts(products: np.ndarray) -> np.ndarray:
    """Which rows are their product's first, and so its catalogue image."""
    return np.concatenate([[True], products[1:] != products[:-1]])


def usable_descriptors(row: EncoderRelease) -> Any:
    """Descriptors (queryset) under a release's encoder, without those of photos set aside."""
    rows = Descriptor.objects.filter(backbone_digest=row.backbone_digest)
    return rows.exclude(image__state=CatalogueImage.State.REJECTED)


def _augmented(encoder: Encoder, images: list[int]) -> Generator[Message, None, Views]:
    """Descriptors of augmented views of some photos, and the row of the photo each was made from."""
    step = max(1, len(images) // AUGMENTED_PHOTOS)
    rows = list(range(0, len(images), step))[:AUGMENTED_PHOTOS]
    parts: list[dict[str, np.ndarray]] = []
    of: list[int] = []
    for start in range(0, len(rows), CHUNK):
        views = []
        for row in rows[start : start + CHUNK]:
            photo = _photo(images[row])
            if photo is not None:
                made = augmented_views(photo)
                views += made
                of += [row] * len(made)
        if views:
            parts.append(dict(encoder.describe(views)))
        yield Message("made_augmented_views", {"value": min(start + CHUNK, len(rows)), "count": len(rows)})
    if not parts:
        return None, None
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, np.array(of)


def _photo(image_id: int) -> Any:
    image = CatalogueImage.objects.select_related("entry").filter(pk=image_id).first()
    shop = catalogues().get(image.entry.source) if image else None
    product = shop.get(image.entry.object_id) if shop and image else None
    if image is None or shop is None or product is None:
        return None
    file = next((f for f in shop.image_files(product) if f.name == image.name), None)
    return read_photo(file) if file else None


def _groups(products: np.ndarray) -> np.ndarray:
    """A number for each photo's product, the same for its variants: nothing is unusual about their likeness."""
    rows = CatalogueEntry.objects.filter(pk__in=np.unique(products).tolist()).values_list("pk", "group")
    names = dict(rows)
    return np.unique([names.get(pk) or f"entry {pk}" for pk in products.tolist()], return_inverse=True)[1]


def measure_generic() -> bool:
    """Measure the background of a live release that nothing was fitted for, where the shop has outgrown the last.

    A small shop never tunes, and still says how unusual a likeness is.
    Costs two counts when nothing is due, and a second at most when it is.

    Returns:
        whether the background was measured anew.
    """
    live = encoder_releases.live()
    photos, known = usable_descriptors(live.row).count(), live.row.background.get("photos", 0)
    settled = known / REMEASURE_AT < photos < known * REMEASURE_AT
    if settled or photos < MIN_PRODUCTS or not encoder_releases.is_generic(live.row):
        return False
    blocks, products, _ = _stored(live.row, BACKGROUND_PHOTOS)
    if len(np.unique(products)) < MIN_PRODUCTS:
        return False
    training = TrainingSet(blocks, products, _firsts(products), live.encoder.spec.blocks)
    found = {**_likeness(training, live.projection), "photos": photos}
    EncoderRelease.objects.filter(pk=live.row.pk).update(background=found)
    live.row.background = found
    return True


def _likeness(training: TrainingSet, projection: Projection) -> dict[str, Any]:
    """What is usual between different products: quantiles for percentiles, limits for reasons."""
    vectors = gallery(projection.embed(training.descriptors), training.products, training.is_catalogue)
    return {
        "quantiles": background(vectors, _groups(training.products)),
        "families": family_background(training.descriptors, training.products, training.blocks),
        "products": len(np.unique(training.products)),
    }


def measure(training: TrainingSet, projection: Projection) -> dict[str, Any]:
    """A fitted release's background: quantiles for percentiles and no-match, limits for reasons.

    What a further photo of the same thing may look like is known where half of the products have one.
    """
    several = np.unique(training.products, return_counts=True)[1] > 1
    return {**_likeness(training, projection), "fitted": bool(several.mean() >= 0.5)}
