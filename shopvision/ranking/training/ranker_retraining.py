"""Decide when to retrain the ranker and refresh the item model."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from ... import conf, jobs
from ...catalogue.models import CatalogueEntry
from ...events.models import Event, ProductCount
from ...privacy.models import PrivacyLog
from ..models import RankerRelease
from ..ranker_releases import newest_knowledge
from .event_log import TELLING
from .ranker_training import LEAST_ACTS

AGAIN_HOURS = 24  # after a job that failed; the reason is in it


def due() -> list[str]:
    """Kinds of jobs that are due; a training refreshes the knowledge too."""
    if conf.PRIVACY_MODE == "off":
        return []
    if _training_due() and not _tried("train_ranker"):
        return ["train_ranker"]
    return ["refresh_knowledge"] if _refresh_due() and not _tried("refresh_knowledge") else []


def start_due(*, wake: bool = True) -> int:
    """Queue the jobs that are due; how many."""
    found = due()
    for kind in found:
        jobs.start(kind, wake=wake)
    return len(found)


def _training_due() -> bool:
    days = conf.RANKING["train_days"]
    last = RankerRelease.objects.first()
    rows = Event.objects.filter(kind__in=TELLING)
    since = timezone.now() - timedelta(days=days)
    if not days or (last and last.created_at > since):
        return False
    if jobs.Job.objects.filter(
        kind="train_ranker", state=jobs.Job.State.DONE, finished_at__gt=since
    ).exists():
        return False  # it made the ranker that is live already
    if last is not None:
        return rows.filter(received_at__gt=last.created_at).exists()
    return len(rows.values_list("pk")[:LEAST_ACTS]) == LEAST_ACTS


def _refresh_due() -> bool:
    hours = conf.RANKING["refresh_hours"]
    last = newest_knowledge()
    if not hours or (last and timezone.now() - last.created_at < timedelta(hours=hours)):
        return False
    if last is None:
        return CatalogueEntry.objects.exists()
    since = last.created_at
    return any(
        rows.exists()
        for rows in (
            ProductCount.objects.filter(day__gte=since.date()),
            CatalogueEntry.objects.filter(changed_at__gt=since),
            Event.objects.filter(received_at__gt=since),
            PrivacyLog.objects.filter(act=PrivacyLog.Act.ERASE, at__gt=since),
        )
    )


def _tried(kind: str) -> bool:
    """Such a job is waiting, running, or failed not long ago."""
    last = jobs.Job.objects.filter(kind=kind).first()
    if last is None or last.state == jobs.Job.State.DONE:
        return False
    recent = last.created_at > timezone.now() - timedelta(hours=AGAIN_HOURS)
    return last.state in jobs.ACTIVE or recent
