"""Jobs and periodic work of tuning: fit the encoder, learn from clicks, promote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import timedelta
from typing import Any

from django.utils import timezone

from .. import conf, jobs
from ..catalogue.models import CatalogueEntry
from ..encoders.projection import MAX_FIT_PHOTOS
from ..exceptions import InvalidRequest, TemporaryFailure
from ..index.models import Descriptor, EncoderRelease
from ..indexing import encoder_releases
from ..messages import Message
from ..types import Step
from .click_feedback import enough_since
from .promotion import photos_to_embed, promotion_steps
from .tuner import AUGMENTED_PHOTOS, AUGMENTED_VIEWS, measure_generic, tuning

TUNE_FROM_PHOTOS = 50
TUNE_AGAIN_AT = 2.0  # times the photos of the last try: a tune that was not promoted is not repeated at once
DESCRIBE_SECONDS = 0.025  # a photo, on two cores; an index job measures it
FIT_SECONDS = 50.0  # three fits and the shop's background; two busy cores
FIT_SECONDS_PER_PHOTO = 0.01
EMBEDDED_PER_SECOND = 1000.0  # from stored descriptors, SQLite, one core
MOST_ID = 2**63 - 1  # of a row


def tune_due() -> int:
    """Photos described, if the live release never saw them and they are enough to learn from; else 0."""
    try:
        live = encoder_releases.live()
    except TemporaryFailure:
        return 0
    described = Descriptor.objects.filter(backbone_digest=live.row.backbone_digest).count()
    return described if encoder_releases.is_generic(live.row) and described >= TUNE_FROM_PHOTOS else 0


def tune(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Fit a release to the catalogue's own photos; it goes live if it is better."""
    photos = Descriptor.objects.count()
    yield Step(message=Message("fitting_encoder"), result={"photos": photos})
    yield from _tuned(clicks=False)


def tune_from_clicks(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Fit a release to the photos shoppers searched with, too, and what they chose; it goes live if it is better."""
    yield Step(message=Message("fitting_encoder_to_clicks"))
    yield from _tuned(clicks=True)


def _tuned(*, clicks: bool) -> Iterator[Step]:
    row = yield from Step.told(tuning(clicks=clicks))
    code = "release_not_promoted" if row.state == row.State.FAILED else "release_state"
    yield Step(
        message=Message(code, {"release": row, "state": row.state}),
        result={"release": str(row), "release_state": row.state},
    )


def estimate_tune(params: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds to fit: augmented views of every photo are encoded once more, then it is matrix arithmetic."""
    photos = Descriptor.objects.count()
    return {
        "products": CatalogueEntry.objects.count(),
        "images": photos,
        "seconds": _tune_seconds(photos, DESCRIBE_SECONDS),
        "basis": Message("basis_views_and_fit", {"views": min(photos, AUGMENTED_PHOTOS), "photos": photos}),
    }


def tuning_after(known: Mapping[str, Any]) -> float:
    """Seconds that tuning takes once the indexing of this estimate has ended; 0.0 where it is not due then."""
    try:
        fitted = not encoder_releases.is_generic(encoder_releases.live().row)
    except TemporaryFailure:
        fitted = False
    images = int(known["images"])
    if fitted or images < TUNE_FROM_PHOTOS:
        return 0.0
    return _tune_seconds(images, known["seconds"] / images)


def _tune_seconds(photos: int, each: float) -> float:
    """Views of some photos described at ``each`` seconds, then fits on all of them."""
    views = AUGMENTED_VIEWS * min(photos, AUGMENTED_PHOTOS)
    return round(views * each + FIT_SECONDS + min(photos, MAX_FIT_PHOTOS) * FIT_SECONDS_PER_PHOTO, 1)


def promote(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Make another encoder release the live one, with its progress.

    Args:
        params: ``release``, its primary key, and ``back`` if it comes back.
    """
    row = _release(params)
    with closing(promotion_steps(row, back=bool(params.get("back")))) as steps:
        for count in steps:
            yield Step(done=count, message=Message("embedding_under_release", {"release": row}))
    yield Step(message=Message("release_is_live", {"release": row}), result={"release": str(row)})


def estimate_promote(params: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds to embed stored descriptors; photos that must be described first take longer.

    Raises:
        InvalidRequest: there is no such release.
    """
    row = _release(params)
    images = photos_to_embed(row)
    return {
        "products": CatalogueEntry.objects.count() if images else 0,
        "images": images,
        "seconds": round(images / EMBEDDED_PER_SECOND, 1),
        "basis": Message("basis_stored_descriptors"),
    }


def _release(params: Mapping[str, Any]) -> EncoderRelease:
    row = EncoderRelease.objects.filter(pk=params["release"]).first()
    if row is None:
        raise InvalidRequest("encoder_release_not_found", code="not_found", release=params["release"])
    return row


def measure() -> bool:
    """Keep what is usual in a shop that has not tuned up to date; whether it was measured anew."""
    try:
        return measure_generic()
    except TemporaryFailure:  # nothing is indexed yet
        return False


def tune_if_due() -> None:
    """Start a tuning job when the live release never saw the shop's photos, and there are enough by now."""
    photos = tune_due()
    if not photos:
        return
    last = jobs.Job.objects.filter(kind="tune").first()
    if last is None or photos >= TUNE_AGAIN_AT * last.result.get("photos", 0):
        jobs.start("tune")


def tune_from_clicks_if_due() -> None:
    """Let the encoder learn from photo searches, as often as rankers are trained, once enough have led to a choice."""
    days = conf.RANKING["train_days"]
    since = timezone.now() - timedelta(days=days)
    if not days or jobs.Job.objects.filter(kind="tune_from_clicks", created_at__gt=since).exists():
        return
    try:
        live = encoder_releases.live().row
    except TemporaryFailure:  # nothing is indexed yet
        return
    if not encoder_releases.is_generic(live) and enough_since(live):
        jobs.start("tune_from_clicks")


jobs.register(
    "tune",
    steps=tune,
    estimate=estimate_tune,
    words="Fit the encoder to the catalogue's own photos",
    release="encoderrelease",
)
jobs.register(
    "tune_from_clicks",
    steps=tune_from_clicks,
    estimate=estimate_tune,
    words="Learn from photo searches, too",
    release="encoderrelease",
)
jobs.register(
    "promote",
    steps=promote,
    estimate=estimate_promote,
    words="Make another encoder release the live one",
    bare=False,
    counted=True,
    permission="shopvision.change_encoderrelease",
    params={"release": jobs.Param(int, required=True, least=1, most=MOST_ID)},
)
jobs.every("measure", seconds=lambda: conf.RECONCILE_SECONDS, run=measure)
jobs.after("changes", measure)
jobs.after("index_all", measure)
jobs.every("tune", seconds=lambda: conf.RECONCILE_SECONDS, run=tune_if_due)
jobs.after("jobs", tune_if_due)
jobs.every("tune_from_clicks", seconds=lambda: conf.RECONCILE_SECONDS, run=tune_from_clicks_if_due)
