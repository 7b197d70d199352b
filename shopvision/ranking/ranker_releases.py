"""Ranker and item-model releases: open, live, promote, roll back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .. import metrics
from ..exceptions import InvalidRequest, Misconfigured, ShopvisionError
from ..releases import storage
from .item_model.model import Knowledge
from .models import KnowledgeSnapshot, RankerRelease
from .rankers.base import Ranker, ranker_from_bytes

RANKERS, KNOWLEDGE = "shopvision/rankers", "shopvision/knowledge"  # folders in the storage
KEPT_KNOWLEDGE = 3  # the newest serves; a process may still be reading the one before
State = RankerRelease.State
Value = TypeVar("Value")


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
    return _opened(row, ranker_from_bytes)


def open_knowledge(row: KnowledgeSnapshot) -> Knowledge:
    """The knowledge of a snapshot.

    Raises:
        Misconfigured: its file is damaged, gone, or of another version.
    """
    return _opened(row, Knowledge.from_bytes)


def _opened(row: storage.Stored, from_bytes: Callable[[bytes], Value]) -> Value:
    data = storage.read(row.artefact, row.digest, str(row))
    try:
        return from_bytes(data)
    except ShopvisionError as error:
        raise Misconfigured("ranker_cannot_be_opened", release=row, error=error) from error


def keep_knowledge(knowledge: Knowledge, data: dict[str, Any], seconds: float) -> KnowledgeSnapshot:
    """Make a knowledge the one that serves; of older ones the last few are kept."""
    name, digest = storage.store(KNOWLEDGE, knowledge.to_bytes())
    row = KnowledgeSnapshot.objects.create(artefact=name, digest=digest, data=data, seconds=round(seconds, 2))
    for old in KnowledgeSnapshot.objects.all()[KEPT_KNOWLEDGE:]:
        if not KnowledgeSnapshot.objects.filter(digest=old.digest).exclude(pk=old.pk).exists():
            storage.forget(old.artefact, old.digest)
        old.delete()
    metrics.event("knowledge_refreshed", knowledge=str(row), **data)
    return row


def promote(row: RankerRelease, user: Any = None, *, back: bool = False) -> RankerRelease:
    """Make a release the live one, atomically; the one before is kept for ``rollback``.

    It is opened first, so that no listing meets a damaged one.

    Args:
        back: as ``artefacts.go_live`` takes it.

    Raises:
        ShopvisionError: it cannot be opened.
    """
    open_ranker(row)
    live_now: RankerRelease = storage.go_live(row, RankerRelease.objects.all(), str(row), user, back=back)
    return live_now


def rollback(user: Any = None) -> RankerRelease | None:
    """Bring back the ranker before the live one, or the untrained blend before the first; what is live now.

    Raises:
        InvalidRequest: no ranker is live (``no_previous``).
        Misconfigured: the one before cannot be opened.
    """
    row = live()
    if row is None:
        raise InvalidRequest("no_ranker_to_roll_back", code="no_previous")
    if row.previous is not None:
        return promote(row.previous, user, back=True)
    RankerRelease.objects.filter(pk=row.pk, state=State.LIVE).update(state=State.RETIRED)
    metrics.event("release_activated", release="the untrained blend", previous=str(row), by=str(user or ""))
    return None
