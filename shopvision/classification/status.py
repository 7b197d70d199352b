"""Where classification stands, as plain values; the admin and the API show the same."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count
from django.utils import timezone

from .models import ClassifierRelease, Decision, Prediction

WEEK_DAYS = 7
BY_A_PERSON = (Decision.Verb.ACCEPT, Decision.Verb.CORRECT, Decision.Verb.REJECT)
SHOWN = ("accuracy", "macro_f1", "calibration_error")


def overview() -> dict[str, Any]:
    """Suggestions that wait, what people decided this week and how often they agreed, and what is live.

    ``agreement`` is the share of decided suggestions that were accepted as they stood; None when nobody
    decided anything.
    """
    since = timezone.now() - timedelta(days=WEEK_DAYS)
    rows = Decision.objects.filter(created_at__gte=since, undone_at=None)
    verbs = dict(rows.order_by().values_list("verb").annotate(n=Count("id")))
    decided = sum(verbs.get(verb, 0) for verb in BY_A_PERSON)
    return {
        "waiting": Prediction.objects.filter(state=Prediction.State.SUGGESTED).count(),
        "decided_week": decided,
        "applied_week": verbs.get(Decision.Verb.APPLY, 0),
        "agreement": verbs.get(Decision.Verb.ACCEPT, 0) / decided if decided else None,
        "live": [_release(row) for row in ClassifierRelease.objects.filter(state="live").order_by("target")],
    }


def _release(row: ClassifierRelease) -> dict[str, Any]:
    measured = {name: row.metrics.get(name) for name in SHOWN}
    return {
        "id": row.pk,
        "name": str(row),
        "source": row.source,
        "target": row.target,
        "kind": row.kind,
        "labels": len(row.labels),
        **measured,
    }
