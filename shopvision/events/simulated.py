"""Simulated events: made-up visitors for a demo; every row's key and subject say so, and all can be taken away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from ..privacy.consent import PURPOSES, bits
from .history import SIMULATED
from .models import Event, ProductCount
from .record import COUNTED

ROWS_AT_ONCE = 2000
SUBJECT = "simulated."  # no pseudonym of a person begins so: theirs begin with a key's number


@dataclass(frozen=True, slots=True)
class MadeUp:
    """An act that nobody did; fields as ``Event`` has them."""

    kind: str
    visitor: int
    visit: str
    product: str
    at: datetime
    listing: str = ""
    position: int | None = None


def write(acts: Iterable[MadeUp]) -> int:
    """Write acts as rows and as sums, once; how many. Not a visitor's events: those pass ``record_events``."""
    given = list(acts)
    rows = [_row(number, one) for number, one in enumerate(given)]
    with transaction.atomic():
        Event.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)
        ProductCount.objects.bulk_create(_sums(given), batch_size=ROWS_AT_ONCE)
    return len(rows)


def forget() -> int:
    """Take all made-up rows away; how many. Their share in sums of past days stays."""
    return Event.objects.filter(key__startswith=SIMULATED).delete()[0]


def there() -> int:
    """How many made-up rows there are."""
    return Event.objects.filter(key__startswith=SIMULATED).count()


def _row(number: int, one: MadeUp) -> Event:
    return Event(
        key=f"{SIMULATED}{number}",
        kind=one.kind,
        subject=f"{SUBJECT}{one.visitor}",
        session=one.visit,
        product=one.product,
        listing=one.listing,
        position=one.position,
        purposes=bits(PURPOSES),
        at=one.at,
        received_at=one.at,
    )


def _sums(given: Sequence[MadeUp]) -> list[ProductCount]:
    """A view counts once for each visitor and day, as real ones do."""
    sums: Counter[tuple[date, str, str]] = Counter()
    seen: set[tuple[object, ...]] = set()
    for one in given:
        key = (one.visitor, one.at.date(), one.product, one.kind)
        if one.kind in COUNTED and not (one.kind == "view" and key in seen):
            seen.add(key)
            sums[one.at.date(), one.product, one.kind] += 1
    return [
        ProductCount(day=day, product=product, kind=kind, count=n) for (day, product, kind), n in sums.items()
    ]
