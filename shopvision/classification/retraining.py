"""Decide when to retrain a classifier: encoder switched, enough decisions, or age."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from .. import conf, jobs
from ..catalogue.adapter import catalogues
from ..exceptions import TemporaryFailure
from ..index.models import Descriptor
from ..indexing import encoder_releases as encoders
from .labels import BY_PEOPLE
from .models import ClassifierRelease, Decision

TRAINED_APART = ("finetuned", "cnn")  # kinds that ``auto`` does not try
AGAIN_HOURS = 24  # after a training that failed; the reason is in its job


def due() -> list[tuple[dict[str, str], str]]:
    """Params of the trainings that are due, each with the reason in words.

    Only targets that have a live classifier: the first training is a person's choice.
    """
    rows = ClassifierRelease.objects.filter(state=ClassifierRelease.State.LIVE, source__in=catalogues())
    found = []
    for row in rows.only("source", "target", "kind", "backbone_digest"):
        reason = _reason(row)
        params = {"source": row.source, "target": row.target}
        if row.kind in TRAINED_APART:
            params["kind"] = row.kind
        if reason and not _tried(params):
            found.append((params, reason))
    return found


def start_due(*, wake: bool = True) -> int:
    """Queue the trainings that are due; how many."""
    found = due()
    for params, _ in found:
        jobs.start("train", params, wake=wake)
    return len(found)


def _reason(row: ClassifierRelease) -> str:
    """Why it is due; empty when it is not."""
    newest = ClassifierRelease.objects.filter(source=row.source, target=row.target).only("created_at").first()
    since = newest.created_at if newest else timezone.now()
    if _encoder_switched(row):
        return "its encoder is no longer live"
    decided = Decision.objects.filter(
        source=row.source, target=row.target, verb__in=BY_PEOPLE, undone_at=None, created_at__gt=since
    )
    decisions, days = (int(conf.RETRAIN_AFTER.get(name, 0)) for name in ("decisions", "days"))
    if decisions and decided.count() >= decisions:
        return f"people have decided {decisions} times since the last training"
    if days and timezone.now() - since > timedelta(days=days):
        return f"the last training is {days} days old"
    return ""


def _encoder_switched(row: ClassifierRelease) -> bool:
    """It reads descriptors of another encoder than the live one, which nobody has trained on yet."""
    if not row.backbone_digest:
        return False
    try:
        backbone = encoders.live().row.backbone_digest
    except TemporaryFailure:
        return False
    others = ClassifierRelease.objects.filter(source=row.source, target=row.target, backbone_digest=backbone)
    described = Descriptor.objects.filter(backbone_digest=backbone, image__entry__source=row.source)
    return row.backbone_digest != backbone and not others.exists() and described.exists()


def _tried(params: dict[str, Any]) -> bool:
    """A training of this is waiting, running, or failed not long ago."""
    last = jobs.Job.objects.filter(kind="train", params=params).first()
    if last is None or last.state == jobs.Job.State.DONE:
        return False
    recent = last.created_at > timezone.now() - timedelta(hours=AGAIN_HOURS)
    return last.state in jobs.ACTIVE or recent
