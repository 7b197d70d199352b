"""Operational status of search: counts, freshness, latency, demand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Sum
from django.utils import timezone

from .. import timestamps
from ..catalogue.models import CatalogueEntry, CatalogueImage, Outbox
from ..exceptions import ShopvisionError
from ..indexing import encoder_releases
from ..indexing.drift import drift_known as drift_known
from ..jobs import Job
from ..metrics import quantile
from .models import Demand, StoredSearch

SAMPLE = 500  # latest rows that percentiles are taken over


def counts() -> dict[str, Any]:
    """Entries, photos and waiting changes by state; and how long the oldest change has waited, in seconds."""
    waiting = Outbox.objects.filter(state=Outbox.State.WAITING).aggregate(
        n=Count("id"), oldest=Min("created_at")
    )
    age = (timezone.now() - waiting["oldest"]).total_seconds() if waiting["oldest"] else 0.0
    return {
        "products": _by_state(CatalogueEntry),
        "photos": _by_state(CatalogueImage),
        "waiting": waiting["n"],
        "oldest_waiting_seconds": round(age, 1),
        "set_aside": Outbox.objects.filter(state=Outbox.State.POISONED).count(),
    }


def _by_state(model: type[CatalogueEntry] | type[CatalogueImage]) -> dict[str, int]:
    rows = model.objects.order_by().values_list("state").annotate(n=Count("id"))
    found = dict(rows)
    return {state: found.get(state, 0) for state in model.State.values}


def freshness() -> dict[str, Any]:
    """Seconds from the shop's save to searchable, over the latest changes of the last week.

    Changes older than the end of the first indexing are left out: they waited for it, and not for a worker.
    """
    since = max([timezone.now() - timedelta(days=7), *_first_indexed()])
    rows = CatalogueEntry.objects.filter(indexed_at__gte=since, changed_at__gte=since).order_by("-indexed_at")
    pairs = rows.values_list("changed_at", "indexed_at")[:SAMPLE]
    seconds = [max(0.0, (indexed - changed).total_seconds()) for changed, indexed in pairs if indexed]
    return {
        "p50_seconds": round(quantile(seconds, 0.5), 2),
        "p95_seconds": round(quantile(seconds, 0.95), 2),
        "changes": len(seconds),
    }


def _first_indexed() -> list[datetime]:
    """When the first whole indexing ended; empty where there was none."""
    done = Job.objects.filter(kind="index_all", state=Job.State.DONE, finished_at__isnull=False)
    first = done.order_by("finished_at").values_list("finished_at", flat=True).first()
    return [first] if first else []


def latency() -> dict[str, Any]:
    """Milliseconds a photo search took, over the latest still stored; ``series`` is oldest first."""
    rows = StoredSearch.objects.filter(kind="photo").order_by("-created_at")
    took = list(rows.values_list("took_ms", flat=True)[:SAMPLE])
    return {
        "searches": len(took),
        "p50_ms": round(quantile(took, 0.5), 1),
        "p95_ms": round(quantile(took, 0.95), 1),
        "series": [round(value, 1) for value in reversed(took[:60])],
    }


def demand(days: int = 30) -> dict[str, Any]:
    """What shoppers looked for and the shop does not sell: searches by day, and the commonest looks."""
    today = timestamps.today()
    rows = Demand.objects.filter(day__gt=today - timedelta(days=days))
    by_day = dict(rows.values_list("day").annotate(n=Sum("count")))
    top = rows.values("category", "colour").annotate(n=Sum("count")).order_by("-n")[:10]
    return {
        "total": sum(by_day.values()),
        "series": [by_day.get(today - timedelta(days=back), 0) for back in range(days - 1, -1, -1)],
        "top": [{"category": r["category"], "colour": r["colour"], "count": r["n"]} for r in top],
    }


def serving() -> dict[str, Any]:
    """The live release and its index; ``ok`` is False with a reason while there is none."""
    try:
        live = encoder_releases.answering()
    except ShopvisionError as error:
        return {"ok": False, "detail": str(error.message)}
    health = live.index.health()
    return {
        "ok": health.ok,
        "detail": health.detail,
        "release": str(live.row),
        "precision": live.row.precision,
        "count": health.count,
        "bytes": health.bytes,
        "as_of": timestamps.as_text(health.as_of),
    }


def overview() -> dict[str, Any]:
    """All of it."""
    return {
        "counts": counts(),
        "drift": drift_known(),
        "freshness": freshness(),
        "latency": latency(),
        "demand": demand(),
        "serving": serving(),
    }
