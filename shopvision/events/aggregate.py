"""Views by product and day, with noise: what the admin shows and the export hands out."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Sum
from django.utils import timezone

from ..privacy import noise
from .models import Kind, ProductCount

MOST_DAYS = 90


@dataclass(frozen=True, slots=True)
class Views:
    """Noisy number of visitors who looked at a product on a day (UTC)."""

    day: date
    product: str
    visitors: int


def views(products: Collection[str], days: int, *, epsilon: float = noise.EPSILON) -> Iterator[Views]:
    """Every product and day of the last full ``days``, zeros included, newest day first.

    Each visitor's interest in one product on one day is protected with ``epsilon`` (Laplace noise of scale
    1 / epsilon); somebody who looked at n products, with n * epsilon. Today is left out: its sums still move.

    Args:
        products: references; which products there are is no secret, so all of them get noise.
        days: at most ``MOST_DAYS``.
    """
    today = timezone.now().date()
    for back in range(1, min(days, MOST_DAYS) + 1):
        day = today - timedelta(days=back)
        sums = (
            ProductCount.objects.filter(day=day, kind=Kind.VIEW)
            .values_list("product")
            .annotate(n=Sum("count"))
        )
        counted = dict(sums)
        for ref in products:
            count = int(counted.get(ref, 0))
            yield Views(day, ref, noise.noisy(count, ("views", ref, day.isoformat()), epsilon))


def most_viewed(
    products: Collection[str], days: int, limit: int, *, epsilon: float = noise.EPSILON
) -> list[tuple[str, int]]:
    """Products with the largest noisy sums over the last full ``days``, largest first; none below one."""
    sums: dict[str, int] = {}
    for row in views(products, days, epsilon=epsilon):
        sums[row.product] = sums.get(row.product, 0) + row.visitors
    return sorted(((p, n) for p, n in sums.items() if n > 0), key=lambda pair: -pair[1])[:limit]
