"""Merge an anonymous visitor's events into the user who signs in."""

from __future__ import annotations

from datetime import datetime

from django.db import DatabaseError, router, transaction
from django.http import HttpRequest
from django.utils import timezone

from .. import conf, metrics
from ..privacy import pseudonyms, registry
from ..privacy.consent import choice_of
from ..privacy.models import ConsentRecord
from ..types import Subject
from . import writer
from .models import Event


def adopt(request: HttpRequest, user_id: str) -> int:
    """Rename the visitor's rows to the user's pseudonym, while the visitor's consent stands; rows renamed.

    Never raises: the visitor signs in whatever becomes of the history.
    """
    try:
        choice = choice_of(request)
        if conf.PRIVACY_MODE != "consent" or not choice.purposes or not choice.key or choice.since is None:
            return 0
        writer.write_waiting()
        with transaction.atomic(using=router.db_for_write(Event)):
            ConsentRecord.objects.create(
                subject=pseudonyms.pseudonym(Subject(user_id)),
                purposes=sorted(choice.purposes),
                source="sign-in",
            )
            return _rename(Subject(visitor=choice.key), Subject(user_id), choice.since)
    except DatabaseError:
        metrics.count("adopt_failed")
        metrics.log.exception("a visitor's history could not be joined to the user's")
        return 0


def _rename(visitor: Subject, user: Subject, since: datetime) -> int:
    """Each old name to the user's of the same day, so that rows stay as unlinkable as they were."""
    names = zip(pseudonyms.lineage(visitor, since), pseudonyms.lineage(user, since), strict=True)
    now = timezone.now()
    tables = [one.rename for one in registry.stores().values() if one.rename]
    return sum(rename(old, new, since, now) for old, new in names for rename in tables)
