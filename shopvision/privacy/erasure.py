"""Erase a subject from every registered table, with a receipt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import router, transaction
from django.http import HttpRequest

from .. import metrics, signals, timestamps
from ..types import Subject
from . import pseudonyms, registry
from .consent import SESSION
from .models import ErasedSubject, PrivacyLog
from .registry import Identity


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of an erasure that names nobody: a random number, the time, rows by table.

    Where nothing was kept there is nothing to prove: no number, and no row in the log.
    """

    id: str
    at: datetime
    counts: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "receipt": self.id or None,
            "at": timestamps.as_text(self.at),
            "counts": self.counts,
        }


def identity(subject: Subject) -> Identity:
    """A subject with every pseudonym under which anything of it can still be kept."""
    return Identity(subject, pseudonyms.every(subject, registry.longest_days()))


def what_is_kept(subject: Subject) -> dict[str, int]:
    """Rows by table that ``erase`` would forget."""
    who = identity(subject)
    return {name: one.count(who) for name, one in registry.stores().items() if one.count}


def erase(subject: Subject, *, source: str, request: HttpRequest | None = None) -> Receipt:
    """Forget a subject everywhere: all stores in one transaction, and the visitor's own session.

    Args:
        source: at whose wish, for the log.
        request: its session's interest is forgotten too.

    Raises:
        DatabaseError: nothing was forgotten; try again.
    """
    who = identity(subject)
    with transaction.atomic(using=router.db_for_write(ErasedSubject)):
        ErasedSubject.objects.bulk_create([ErasedSubject(digest=digest(name)) for name in recent(who)])
        counts = {name: one.erase(who) for name, one in registry.stores().items() if one.erase}
        counts |= forget_visit(request)
        row = PrivacyLog(act=PrivacyLog.Act.ERASE, source=source, counts=counts)
        forgot = any(counts.values())
        if forgot:
            row.save()
    receipt = Receipt(str(row.pk) if forgot else "", row.at, counts)
    metrics.count("subjects_erased")
    metrics.event("subject_erased", receipt=receipt.id, source=source)
    signals.subject_erased.send_robust(Receipt, pseudonyms=who.pseudonyms, receipt=receipt)
    return receipt


def forget_visit(request: HttpRequest | None) -> dict[str, int]:
    """Empty what the visitor's session holds of ours; how many products it held."""
    session = getattr(request, "session", None)
    kept = session.pop(SESSION, None) if session is not None else None
    return {"session": len(kept.get("i", ())) if isinstance(kept, dict) else 0} if request else {}


def recent(who: Identity) -> tuple[str, ...]:
    """The names an event still in some process's memory can carry: today's and yesterday's keys'."""
    return pseudonyms.lineage(who.subject, pseudonyms.start_of(1))


def digest(name: str) -> str:
    """What ErasedSubject keeps of a pseudonym."""
    return hashlib.sha256(name.encode()).hexdigest()
