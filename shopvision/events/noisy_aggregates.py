"""Differentially private views per product and day."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connections, router
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Min, Sum
from django.utils import timezone

from ..privacy import differential_privacy
from .models import Kind, ProductCount

MOST_DAYS = 90


@dataclass(frozen=True, slots=True)
class Views:
    """Noisy number of visitors who looked at a product on a day (UTC)."""

    day: date
    product: str
    visitors: int


def views(
    products: Collection[str], days: int, *, epsilon: float = differential_privacy.EPSILON
) -> Iterator[Views]:
    """Every product and day of the last full ``days``, zeros included, newest day first.

    Each visitor's interest in one product on one day is protected with ``epsilon`` (Laplace noise of scale
    1 / epsilon); somebody who looked at n products, with n * epsilon. Today is left out: its sums still move;
    and so are days on which nothing was counted for anybody, for we were not there yet.

    Args:
        products: references; which products there are is no secret, so all of them get noise.
        days: at most ``MOST_DAYS``.
    """
    today, first = timezone.now().date(), first_day()
    for back in range(1, min(days, MOST_DAYS) + 1):
        day = today - timedelta(days=back)
        if day < first:
            return
        sums = (
            ProductCount.objects.filter(day=day, kind=Kind.VIEW)
            .values_list("product")
            .annotate(n=Sum("count"))
        )
        counted = dict(sums)
        for ref in products:
            count = int(counted.get(ref, 0))
            yield Views(day, ref, differential_privacy.noisy(count, ("views", ref, day.isoformat()), epsilon))


def first_day() -> date:
    """The day our tables were made, which says nothing of any visitor; the oldest sum's, where it was moved here."""
    alias = router.db_for_read(ProductCount)
    recorder = MigrationRecorder(connections[alias])
    rows = recorder.migration_qs.filter(app="shopvision") if recorder.has_table() else None
    made = rows.aggregate(first=Min("applied"))["first"] if rows is not None else None
    oldest = ProductCount.objects.aggregate(first=Min("day"))["first"]
    known = [day for day in (made.date() if made else None, oldest) if day is not None]
    return min(known, default=timezone.now().date())


def most_viewed(
    products: Collection[str], days: int, limit: int, *, epsilon: float = differential_privacy.EPSILON
) -> list[tuple[str, int]]:
    """Products with the largest noisy sums over the last full ``days``, largest first; none below one."""
    sums: dict[str, int] = {}
    for row in views(products, days, epsilon=epsilon):
        sums[row.product] = sums.get(row.product, 0) + row.visitors
    return sorted(((p, n) for p, n in sums.items() if n > 0), key=lambda pair: -pair[1])[:limit]
