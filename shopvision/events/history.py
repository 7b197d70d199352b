"""Read events: a visitor's recent products, shown listings and their outcomes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, router, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from .. import metrics
from ..privacy import pseudonyms
from ..privacy.consent import BITS, Permission, may_record
from ..types import ProductRef, Subject
from .bot_filter import plain_request
from .models import Event, Kind
from .session_history import KINDS, Visit, mark

HISTORY = timedelta(days=90)  # older acts say little about what somebody wants now
LISTINGS_AT_ONCE = 200  # read together; a listing has some dozens of rows
SIMULATED = "simulated:"  # how keys of made-up events begin
OUTCOMES = (Kind.CLICK, Kind.BASKET_ADD, Kind.PURCHASE)


@dataclass(frozen=True, slots=True)
class Seen:
    """A product somebody did something with.

    Args:
        value: stars of a rating, pieces of a purchase.
    """

    product: ProductRef
    kind: str
    at: datetime
    value: float | None = None


@dataclass(frozen=True, slots=True)
class ShownItem:
    """A product at a position (from 0) of a listing, with what its visitor did with it.

    Args:
        propensity: probability with which it was shown there; None where no ranker chose.
        outcomes: of click, basket_add and purchase.
    """

    product: ProductRef
    position: int
    propensity: float | None
    outcomes: frozenset[str]


@dataclass(frozen=True, slots=True)
class ShownListing:
    """A listing that a visitor saw; items in order of position."""

    id: str
    subject: str
    session: str
    at: datetime
    items: tuple[ShownItem, ...]


def latest(
    request: Any = None,
    *,
    subject: Subject | None = None,
    kinds: Collection[str] = KINDS,
    limit: int = 50,
) -> list[Seen]:
    """What a visitor did last, newest first, as far as it may be used to personalise; never raises.

    The visitor's session knows it at once; rows in the database go further back. Nothing where the visitor
    refused, or did nothing yet.

    Args:
        request: the visitor's; without one, what ``subject`` decided on record counts.
        kinds: of events with a product.
        limit: most answers.
    """
    try:
        request = plain_request(request)
        permission = may_record(request, subject)
        visit = Visit(request) if permission.interest else None
    except Exception:  # noqa: BLE001 - plain order is better than no page
        metrics.count("history_failed")
        metrics.log.exception("a visitor's history could not be read")
        return []
    recent = [] if visit is None else [row for row in visit.products() if row[1] in kinds]
    found = [Seen(ProductRef.parse(row[0]), row[1], row[2], row[4]) for row in recent]
    if permission.rows and permission.purposes & BITS["personalisation"]:
        known = {row[3] for row in recent}
        found += [one for key, one in _stored(permission, kinds, limit) if mark(key) not in known]
        found.sort(key=lambda one: one.at, reverse=True)
    return found[:limit]


def _stored(permission: Permission, kinds: Collection[str], limit: int) -> list[tuple[str, Seen]]:
    since = max(permission.since or timezone.now(), timezone.now() - HISTORY)
    rows = Event.objects.filter(
        subject__in=pseudonyms.lineage(permission.subject, since), at__gte=since, kind__in=list(kinds)
    ).exclude(product="")
    columns = rows.order_by("-at", "-pk").values_list("key", "product", "kind", "at", "value")
    try:
        with transaction.atomic(using=router.db_for_read(Event)):
            return [(row[0], Seen(ProductRef.parse(row[1]), *row[2:])) for row in columns[:limit]]
    except DatabaseError as error:
        metrics.count("history_failed")
        metrics.log.warning("a visitor's history could not be read: %s", error)
        return []


def sequences(
    since: datetime, until: datetime, kinds: Collection[str] = Kind.values
) -> Iterator[tuple[str, str, ProductRef, str, datetime]]:
    """Subject, visit, product, kind and time of events that may improve the shop, by subject and time."""
    rows = _improving(since, until).filter(kind__in=list(kinds)).exclude(product="")
    rows = rows.order_by("subject", "at", "pk")
    columns = rows.values_list("subject", "session", "product", "kind", "at")
    for subject, session, product, kind, at in columns.iterator(chunk_size=2000):
        yield subject, session, ProductRef.parse(product), kind, at


def shown_listings(since: datetime, until: datetime) -> Iterator[ShownListing]:
    """Listings shown in a span of time, oldest first, with what came of them by now; for training."""
    shown = _improving(since, until).filter(kind=Kind.IMPRESSION).exclude(listing="")
    first: dict[str, None] = dict.fromkeys(shown.order_by("at", "pk").values_list("listing", flat=True))
    ids = list(first)
    for start in range(0, len(ids), LISTINGS_AT_ONCE):
        yield from _listings(ids[start : start + LISTINGS_AT_ONCE])


def _listings(ids: list[str]) -> Iterable[ShownListing]:
    """Clicks and purchases are joined by listing and product."""
    wanted = Q(kind=Kind.IMPRESSION, position__isnull=False) | Q(kind__in=OUTCOMES)
    rows = Event.objects.filter(wanted, listing__in=ids).order_by("at", "pk")
    impressions: dict[str, dict[int, tuple[Any, ...]]] = defaultdict(dict)
    outcomes: dict[tuple[str, str], set[str]] = defaultdict(set)
    columns = rows.values_list(
        "kind", "listing", "product", "position", "propensity", "subject", "session", "at"
    )
    for kind, listing, product, position, *shown in columns:
        if kind == Kind.IMPRESSION and position is not None:
            impressions[listing].setdefault(position, (product, *shown))
        elif kind != Kind.IMPRESSION:
            outcomes[listing, product].add(kind)
    for listing in ids:
        if by_position := impressions.get(listing):
            items = tuple(
                ShownItem(
                    ProductRef.parse(product),
                    place,
                    propensity,
                    frozenset(outcomes.get((listing, product), ())),
                )
                for place, (product, propensity, *_) in sorted(by_position.items())
            )
            *_, subject, session, at = by_position[min(by_position)]
            yield ShownListing(listing, subject, session, at, items)


def simulated(since: datetime, until: datetime) -> int:
    """How many of those events nobody did: the demo shop made them up."""
    return int(_improving(since, until).filter(key__startswith=SIMULATED).count())


def _improving(since: datetime, until: datetime) -> QuerySet[Any]:
    """Events of a span of time whose subject agreed to improvement."""
    bit = BITS["improvement"]
    allowed = Event.objects.annotate(improves=F("purposes").bitand(bit))
    return allowed.filter(at__gte=since, at__lt=until, improves=bit)
