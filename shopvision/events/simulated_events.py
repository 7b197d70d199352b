"""Simulated visitors for demos, marked and removable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ..privacy.consent import PURPOSES, bits
from ..privacy.data_export import export
from ..privacy.erasure import erase
from ..privacy.models import ConsentRecord, PrivacyLog
from ..privacy.pseudonyms import pseudonym
from ..types import Subject
from .history import SIMULATED
from .models import Event, ProductCount
from .record import COUNTED

SUBJECT = "simulated."  # no pseudonym of a person begins so: theirs begin with a key's number
SOURCE = "simulated"  # at whose wish, in the privacy log and on consents


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
    propensity: float | None = None


def rows_of(acts: Iterable[MadeUp]) -> tuple[list[Event], list[ProductCount]]:
    """Acts as rows and as sums, to be written once. Not a visitor's events: those pass ``record_events``."""
    given = list(acts)
    return [_row(number, one) for number, one in enumerate(given)], _sums(given)


def exercise_rights(visitor: int) -> None:
    """Have one of them, who had agreed, ask for a copy of what is kept, and then to be forgotten.

    Both go the way they go for people: the privacy log counts what was really handed out and erased.
    """
    name = f"{SUBJECT}{visitor}"
    who = Subject(visitor=name)
    Event.objects.filter(subject=name).update(subject=pseudonym(who))
    ConsentRecord.objects.create(subject=pseudonym(who), purposes=list(PURPOSES), source=SOURCE)
    export(who, source=SOURCE)
    ConsentRecord.objects.create(source=SOURCE)  # a withdrawal, as it is once what was kept is erased
    erase(who, source=SOURCE)


def forget() -> int:
    """Take all made-up rows away; how many events. Their share in sums of past days stays."""
    for model in (PrivacyLog, ConsentRecord):
        model.objects.filter(source=SOURCE).delete()
    return Event.objects.filter(key__startswith=SIMULATED).delete()[0]


def rights_exercised() -> int:
    """How many made-up rows the privacy log and the decisions hold."""
    return sum(model.objects.filter(source=SOURCE).count() for model in (PrivacyLog, ConsentRecord))


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
        propensity=one.propensity,
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
