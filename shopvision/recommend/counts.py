"""What all visitors did lately, by product: sums that name nobody, read now and then by a thread."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import connection
from django.db.models import Sum
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
    today = timezone.now().date()
    found: dict[str, Count] = defaultdict(Count)
    rows = ProductCount.objects.filter(day__gt=today - timedelta(days=DAYS))
    for product, kind, day, n in rows.values_list("product", "kind", "day").annotate(n=Sum("count")):
        one = found[product]
        one.acts += STRENGTHS.get(kind, 0.0) * n * 0.5 ** ((today - day).days / HALF_LIFE_DAYS)
        one.shown += n if kind == Kind.IMPRESSION else 0
        one.clicked += n if kind == Kind.CLICK else 0
    if len(found) <= MOST_PRODUCTS:
        return found
    most = sorted(found, key=lambda ref: -found[ref].acts)[:MOST_PRODUCTS]
    return {ref: found[ref] for ref in most}
