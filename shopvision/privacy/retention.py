"""Delete rows past their retention time."""

from __future__ import annotations

from datetime import timedelta

from django.db import DatabaseError
from django.utils import timezone

from .. import metrics
from . import registry
from .models import PrivacyLog


def purge(*, source: str = "duty", dry_run: bool = False) -> dict[str, int]:
    """Delete what is past its time; rows by table. A table that fails is logged, and the others go on.

    Args:
        source: at whose wish, for the log.
        dry_run: only count.
    """
    counts: dict[str, int] = {}
    for name, store in registry.stores().items():
        work = store.expired if dry_run else store.purge
        if work is None or store.days is None:
            continue
        try:
            counts[name] = work(timezone.now() - timedelta(days=store.days))
        except DatabaseError:
            metrics.count("purge_failed")
            metrics.log.exception("%s could not be purged; it is tried again with the next turn", name)
    if not dry_run and any(counts.values()):
        PrivacyLog.objects.create(act=PrivacyLog.Act.PURGE, source=source, counts=counts)
    return counts
