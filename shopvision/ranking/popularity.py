"""Recent popularity per product, refreshed by a background thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Case, F, FloatField, Q, Sum, Value, When
from django.utils import timezone

from ..events.models import Kind, ProductCount
from ..threads import Glance
from .interactions import STRENGTHS

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


def lately() -> Mapping[str, Count]:
    """By product reference, as of a few minutes ago; empty at first. Waits for no database (but in tests)."""
    return _glance.look()


def forget() -> None:
    """Read anew at the next call."""
    _glance.forget()


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


_glance = Glance[Mapping[str, Count]](
    "shopvision-counts",
    {},
    lambda: _sums(),
    lambda _: REFRESH_SECONDS,
    ("counts_failed", "what visitors did lately could not be read"),
)
