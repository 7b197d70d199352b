"""Rankers and knowledge in use: their files, which one is live, promoting and rolling back."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from .. import artefacts, signals, telemetry
from ..exceptions import InvalidRequest, Misconfigured, ShopvisionError
from .knowledge import Knowledge
from .models import KnowledgeSnapshot, RankerRelease
from .ranker import Ranker, ranker_from_bytes

RANKERS, KNOWLEDGE = "shopvision/rankers", "shopvision/knowledge"  # folders in the storage
KEPT_KNOWLEDGE = 3  # the newest serves; a process may still be reading the one before
State = RankerRelease.State


def live() -> RankerRelease | None:
    """The ranker that orders listings, or None while it is the untrained blend."""
    return RankerRelease.objects.filter(state=State.LIVE).first()


def newest_knowledge() -> KnowledgeSnapshot | None:
    """What is known of the products by now, or None while nothing was learned."""
    return KnowledgeSnapshot.objects.first()


def open_ranker(row: RankerRelease) -> Ranker:
    """The ranker of a release.

    Raises:
        Misconfigured: its file is damaged, gone, or needs an extra that is not installed.
    """
    data = artefacts.read(row.artefact, row.digest, str(row))
    try:
        return ranker_from_bytes(data)
    except ShopvisionError as error:
        raise Misconfigured(f"{row} cannot be opened here: {error}") from error


def open_knowledge(row: KnowledgeSnapshot) -> Knowledge:
    """The knowledge of a snapshot.

    Raises:
        Misconfigured: its file is damaged, gone, or of another version.
    """
    data = artefacts.read(row.artefact, row.digest, str(row))
    try:
        return Knowledge.from_bytes(data)
    except ShopvisionError as error:
        raise Misconfigured(f"{row} cannot be opened here: {error}") from error


def keep_knowledge(knowledge: Knowledge, data: dict[str, Any], seconds: float) -> KnowledgeSnapshot:
    """Make a knowledge the one that serves; of older ones the last few are kept."""
    name, digest = artefacts.store(KNOWLEDGE, knowledge.to_bytes())
    row = KnowledgeSnapshot.objects.create(artefact=name, digest=digest, data=data, seconds=round(seconds, 2))
    for old in KnowledgeSnapshot.objects.all()[KEPT_KNOWLEDGE:]:
        if not KnowledgeSnapshot.objects.filter(digest=old.digest).exclude(pk=old.pk).exists():
            artefacts.forget(old.artefact, old.digest)
        old.delete()
    telemetry.event("knowledge_refreshed", knowledge=str(row), **data)
    return row


def promote(row: RankerRelease, user: Any = None) -> RankerRelease:
    """Make a release the live one, atomically; the one before is kept for ``rollback``.

    It is opened first, so that no listing meets a damaged one.

    Raises:
        ShopvisionError: it cannot be opened.
    """
    open_ranker(row)
    with transaction.atomic():
        rows = RankerRelease.objects.select_for_update()
        previous = rows.filter(state=State.LIVE).first()
        if previous is not None and previous.pk == row.pk:
            return previous
        if previous is not None:
            rows.filter(pk=previous.pk).update(state=State.RETIRED)
        rows.filter(pk=row.pk).update(state=State.LIVE, previous=previous, activated_at=timezone.now())
    row.refresh_from_db()
    who = user.get_username() if getattr(user, "is_authenticated", False) else "a job or a command"
    telemetry.event("release_activated", release=str(row), previous=str(previous or ""), by=who)
    signals.release_activated.send_robust(RankerRelease, release=row, previous=previous)
    return row


def rollback(user: Any = None) -> RankerRelease | None:
    """Bring back the ranker before the live one, or the untrained blend before the first; what is live now.

    Raises:
        InvalidRequest: no ranker is live (``no_previous``).
        Misconfigured: the one before cannot be opened.
    """
    row = live()
    if row is None:
        raise InvalidRequest(
            "no trained ranker is live, so there is nothing to roll back", code="no_previous"
        )
    if row.previous is not None:
        return promote(row.previous, user)
    RankerRelease.objects.filter(pk=row.pk, state=State.LIVE).update(state=State.RETIRED)
    telemetry.event("release_activated", release="the untrained blend", previous=str(row), by=str(user or ""))
    return None
