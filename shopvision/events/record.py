"""The single writer of events: consent gate, session history, counts and queue."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from .. import metrics, timestamps
from ..privacy import pseudonyms
from ..privacy.consent import Permission, may_record
from ..types import ProductRef, Subject
from . import bot_filter, writer
from .attribution import JOINED, WINDOW
from .models import Kind
from .session_history import KINDS as REMEMBERED
from .session_history import Visit
from .writer import Pending

OLDEST = timedelta(hours=24)  # an event reported later than this counts as that old
PRODUCTLESS = frozenset({Kind.SEARCH, Kind.PHOTO_SEARCH})
COUNTED = frozenset({Kind.IMPRESSION, Kind.VIEW, Kind.CLICK, Kind.BASKET_ADD, Kind.PURCHASE})
MOST_TEXT, MOST_PRODUCT, MOST_POSITION = 100, 360, 100_000
KEY = re.compile(r"[A-Za-z0-9_:.-]{8,80}")
LISTING = re.compile(r"[0-9a-f]{32}")

on_acts: list[Callable[[HttpRequest, Collection[str]], None]] = []
"""Called with a visitor's request and the kinds of acts it brought, where they may be counted; for experiments."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that happened, as its reporter says.

    Args:
        kind: one of ``models.Kind``.
        product: needed for all kinds but the searches.
        listing: 32 hexadecimal digits; the listing it came from.
        position: in the listing, from 0.
        propensity: probability with which the ranker showed it there, in (0, 1].
        value: stars of a rating, pieces of a purchase.
        text: words searched for; the first hundred characters are kept.
        at: when it happened, by our clock; now if not given.
        key: makes a repeat harmless; random if not given.

    Raises:
        ValueError: a value breaks its rule.
    """

    kind: str
    product: ProductRef | None = None
    listing: str = ""
    position: int | None = None
    propensity: float | None = None
    value: float | None = None
    text: str = ""
    at: datetime | None = None
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        for wrong, words in self._rules():
            if wrong:
                raise ValueError(words)

    def _rules(self) -> Iterable[tuple[bool, str]]:
        ref = str(self.product) if self.product else ""
        yield self.kind not in Kind.values, f"{self.kind!r} is no kind of event: {', '.join(Kind.values)}"
        yield self.kind not in PRODUCTLESS and not ref, f"a {self.kind} needs a product"
        yield len(ref) > MOST_PRODUCT or "\0" in ref, f"product {ref[:40]!r}... is no reference"
        yield bool(self.listing) and not LISTING.fullmatch(self.listing), "a listing is 32 hexadecimal digits"
        yield not KEY.fullmatch(self.key), f"key {self.key[:90]!r} takes 8-80 of A-Z a-z 0-9 _ : . -"
        at_most = f"position {self.position} must be in 0 to {MOST_POSITION}"
        yield self.position is not None and not 0 <= self.position <= MOST_POSITION, at_most
        share = f"propensity {self.propensity} must be in (0, 1]"
        yield self.propensity is not None and not 0 < self.propensity <= 1, share
        yield self.value is not None and not math.isfinite(self.value), f"value {self.value} must be finite"


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many events were taken, and how many were not: refused, repeated, no visitor's, or too many."""

    taken: int = 0
    dropped: int = 0


def record_events(
    events: Iterable[NewEvent], *, request: Any = None, subject: Subject | None = None
) -> Recorded:
    """Keep of some events what their visitor's choice allows. Waits for no database and never raises.

    Args:
        events: of one visitor.
        request: the visitor's, Django's or DRF's; without one, only what was decided on record for ``subject`` counts.
        subject: whose act it was, outside a request.
    """
    given = list(events)
    try:
        return _record(given, bot_filter.plain_request(request), subject)
    except Exception:  # noqa: BLE001 - the shop's page never breaks because of us
        metrics.count("events_failed", len(given))
        metrics.log.exception("%d events could not be recorded", len(given))
        return Recorded(dropped=len(given))


def _record(given: Sequence[NewEvent], request: HttpRequest | None, subject: Subject | None) -> Recorded:
    reason = bot_filter.why_not(request) if request is not None else ""
    permission = Permission() if reason else may_record(request, subject)
    if not (permission.rows or permission.interest or permission.counts):
        metrics.count(f"events_{reason or 'refused'}", len(given))
        return Recorded(dropped=len(given))
    now = timezone.now()
    visit = Visit(request)
    pending = []
    for one in given:
        if one.kind not in REMEMBERED or not visit.knows(one.key):
            made = _pending(one, permission, visit, now)
            pending.append(made)
            if permission.interest and one.product and one.kind in REMEMBERED:
                visit.remember(one.kind, str(one.product), made.at, one.key, one.value)
    if permission.counts and request is not None:
        _tell(request, frozenset(one.kind for one in given))
    waiting = [one for one in pending if one.row or one.count]
    dropped = len(given) - len(pending) + len(waiting) - writer.put(waiting)
    return Recorded(len(given) - dropped, dropped)


def _tell(request: HttpRequest, kinds: frozenset[str]) -> None:
    for hear in on_acts:
        try:
            hear(request, kinds)
        except Exception:  # noqa: BLE001 - the shop's page never breaks because of us
            metrics.count("events_hook_failed")
            metrics.log.exception("acts could not be counted")


def _pending(one: NewEvent, permission: Permission, visit: Visit, now: datetime) -> Pending:
    at = min(max(timestamps.as_kept(one.at) if one.at else now, now - OLDEST), now)
    row = None
    lineage: tuple[str, ...] = ()
    if permission.rows:
        row = _columns(one, permission, visit, at, now)
        if one.kind in JOINED:
            lineage = pseudonyms.lineage(permission.subject, max(permission.since or at, at - WINDOW))
    return Pending(one.key, at, row, _counts(one, permission, visit, now), lineage, permission.since)


def _columns(
    one: NewEvent, permission: Permission, visit: Visit, at: datetime, now: datetime
) -> dict[str, Any]:
    return {
        "key": one.key,
        "kind": one.kind,
        "subject": pseudonyms.pseudonym(permission.subject, now),
        "session": visit.name(),
        "product": str(one.product) if one.product else "",
        "listing": one.listing,
        "position": one.position,
        "propensity": one.propensity,
        "value": one.value,
        "text": one.text.replace("\0", "")[:MOST_TEXT],
        "purposes": permission.purposes,
        "at": at,
        "received_at": now,
    }


def _counts(
    one: NewEvent, permission: Permission, visit: Visit, now: datetime
) -> tuple[str, str, str] | None:
    """The day, product and kind it adds one to; None when it adds to nothing."""
    if not permission.counts or one.product is None or one.kind not in COUNTED:
        return None
    day, product = now.date().isoformat(), str(one.product)
    if one.kind == Kind.VIEW and not visit.counts_today(product, day):
        return None
    return day, product, one.kind
