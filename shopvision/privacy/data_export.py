"""Export of a subject's data, table by table, as JSON values."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from .. import timestamps
from ..types import Subject
from . import registry
from .consent import SESSION
from .erasure import identity
from .models import PrivacyLog


def export(subject: Subject, *, source: str, request: HttpRequest | None = None) -> dict[str, Any]:
    """Everything kept of a subject: rows by table, newest first, what its session holds, and its visitor's key.

    Handing out rows of the database is noted in the privacy log, without a name.
    """
    who = identity(subject)
    tables = {name: one.export(who) for name, one in registry.stores().items() if one.export}
    counts = {name: len(rows) for name, rows in tables.items()}
    if any(counts.values()):
        PrivacyLog.objects.create(act=PrivacyLog.Act.EXPORT, source=source, counts=counts)
    session = getattr(request, "session", None)
    kept = session.get(SESSION, {}) if session is not None else {}
    return {
        "at": timestamps.as_text(timezone.now()),
        "visitor": subject.visitor,
        "kept_days": {name: registry.stores()[name].days for name in tables},
        "tables": tables,
        "session": kept,
    }
