"""What all visitors did lately, by product: sums that name nobody, read now and then by a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection
from django.db.models import Case, F, FloatField, Q, Sum, Value, When
from django.utils import timezone

from .. import conf, telemetry
from ..events.models import Kind, ProductCount
from .profile import STRENGTHS

DAYS = 30
HALF_LIFE_DAYS = 7.0
REFRESH_SECONDS = 300.0
MOST_PRODUCTS = 50_000  # with the most acts; about 10 MB


@dataclass(slots=True)
class Count:
    """Of one product: acts weighed by what they say and how old they are; how often shown, and clicked."""

    acts: float = 0.0
    shown: int = 0
    clicked: int = 0


@dataclass(slots=True)
class _Kept:
    counts: Mapping[str, Count] = field(default_factory=dict)
    read: float = float("-inf")
    reading: bool = False


_kept = _Kept()
_lock = threading.Lock()


def lately() -> Mapping[str, Count]:
    """By product reference, as of a few minutes ago; empty at first. Waits for no database (but in tests)."""
    if time.monotonic() - _kept.read < REFRESH_SECONDS:
        return _kept.counts
    with _lock:
        if _kept.reading:
            return _kept.counts
        _kept.reading = True
    if conf.ENGINE == "immediate":
        _read()
    else:
        threading.Thread(target=_read_apart, name="shopvision-counts", daemon=True).start()
    return _kept.counts


def forget() -> None:
    """Read anew at the next call."""
    _kept.counts, _kept.read = {}, float("-inf")


def _read_apart() -> None:
    try:
        _read()
    finally:
        connection.close()


def _read() -> None:
    try:
        _kept.counts = _sums()
    except Exception:  # noqa: BLE001 - without sums, listings go by the rest of what is known
        telemetry.count("counts_failed")
        telemetry.log.exception("what visitors did lately could not be read")
    finally:
        _kept.read, _kept.reading = time.monotonic(), False


def _sums() -> Mapping[str, Count]:
    """Added up by the database: one row comes back for each product, those with the most acts first."""
    today = timezone.now().date()
    fresh = [
        When(day=today - timedelta(days=age), then=Value(0.5 ** (age / HALF_LIFE_DAYS)))
        for age in range(DAYS)
    ]
    said = [When(kind=kind, then=Value(strength)) for kind, strength in STRENGTHS.items() if strength > 0]
    worth = Case(*fresh, default=Value(0.0)) * Case(*said, default=Value(0.0)) * F("count")
    rows = (
        ProductCount.objects.filter(day__gt=today - timedelta(days=DAYS))
        .values("product")
        .annotate(
            acts=Sum(worth, output_field=FloatField()),
            shown=Sum("count", filter=Q(kind=Kind.IMPRESSION)),
            clicked=Sum("count", filter=Q(kind=Kind.CLICK)),
        )
        .order_by("-acts", "product")[:MOST_PRODUCTS]
    )
    return {
        one["product"]: Count(float(one["acts"] or 0), one["shown"] or 0, one["clicked"] or 0) for one in rows
    }
