"""Consent of a visitor from a signed cookie, and what it permits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from .. import conf, timestamps
from ..timestamps import SECONDS_A_DAY
from ..types import Subject
from . import pseudonyms
from .models import ConsentRecord

PURPOSES = ("personalisation", "improvement", "marketing")
BITS = {name: 1 << place for place, name in enumerate(PURPOSES)}
KEEPING = frozenset({"personalisation", "improvement"})  # marketing alone needs no event rows
COOKIE = "shopvision_choices"
FLAG = "shopvision_record"  # "1" or "0", for the beacon's script, which cannot read the signed cookie
SESSION = "shopvision"  # key in the visitor's Django session
SALT = "shopvision.consent"
CONSENT_DAYS = 180  # then the visitor is asked again (the French CNIL recommends six months)
NOBODY = Subject()
_CACHED = "_shopvision_choice"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a visitor decided.

    Args:
        purposes: agreed to.
        decided: there is a decision at all.
        signal: ``gpc`` or ``dnt`` when the browser refuses for its user, which counts above all else.
        key: random, names the visitor; only while there is an agreement.
        since: when the agreement that still stands began.
    """

    purposes: frozenset[str] = frozenset()
    decided: bool = False
    signal: str = ""
    key: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """What may be kept of an event.

    Args:
        rows: a row in the database, under ``subject``'s pseudonym, for ``purposes`` (bits).
        interest: the product, in the visitor's own session.
        counts: one more in sums that name nobody.
        since: rows of ``subject`` may be linked from then on.
    """

    rows: bool = False
    interest: bool = False
    counts: bool = False
    purposes: int = 0
    subject: Subject = NOBODY
    since: datetime | None = None


NOTHING = Permission()


def bits(purposes: Iterable[str]) -> int:
    """Purposes as the number an event row carries."""
    return sum(BITS[name] for name in purposes)


def refusal_signal(request: HttpRequest) -> str:
    """``gpc`` or ``dnt`` when the browser sends Global Privacy Control or Do Not Track, else ""."""
    if request.META.get("HTTP_SEC_GPC") == "1":
        return "gpc"
    return "dnt" if request.META.get("HTTP_DNT") == "1" else ""


def choice_of(request: HttpRequest) -> Choice:
    """The visitor's decision; one that is older than ``CONSENT_DAYS``, or not signed by us, is none."""
    cached = request.__dict__.get(_CACHED)
    if cached is None:
        cached = request.__dict__[_CACHED] = _read(request)
    return cached


def _read(request: HttpRequest) -> Choice:
    signal = refusal_signal(request)
    try:
        kept = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=CONSENT_DAYS * SECONDS_A_DAY)
        purposes = frozenset(kept["p"]) & frozenset(PURPOSES)
        key, since = str(kept["k"]), timestamps.from_seconds(kept["s"])
    except (signing.BadSignature, KeyError, TypeError, ValueError):
        return Choice(signal=signal)
    if signal or (purposes and kept.get("m") != conf.PRIVACY_MODE):  # agreed to something else
        return Choice(decided=bool(signal), signal=signal, key=key, since=since)
    return Choice(purposes, True, "", key, since)


def subject_of(request: HttpRequest) -> Subject:
    """Who asks: the signed-in user and the key of the cookie, as far as there are any."""
    user = getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    return Subject(str(user.pk) if known and user is not None else "", choice_of(request).key)


def may_record(request: HttpRequest | None = None, subject: Subject | None = None) -> Permission:
    """What may be kept of what this visitor does now.

    Args:
        request: decides, where there is one: its cookie, its headers.
        subject: outside a request (an order that is paid later); its last recorded decision decides.
    """
    mode = conf.PRIVACY_MODE
    if mode == "off":
        return NOTHING
    if request is None:
        return _outside(mode, subject or NOBODY)
    choice = choice_of(request)
    if choice.signal:
        return NOTHING
    if mode == "session":
        refused = choice.decided and "personalisation" not in choice.purposes
        return NOTHING if refused else Permission(interest=True, counts=True)
    return _agreed(choice, subject_of(request), with_session=True)


def _outside(mode: str, subject: Subject) -> Permission:
    if mode == "session":
        return Permission(counts=True)
    return _agreed(recorded_choice(subject), subject, with_session=False)


def _agreed(choice: Choice, subject: Subject, *, with_session: bool) -> Permission:
    if not choice.purposes & KEEPING or not (subject.user_id or subject.visitor):
        return NOTHING
    return Permission(
        rows=True,
        interest=with_session and "personalisation" in choice.purposes,
        counts="improvement" in choice.purposes,
        purposes=bits(choice.purposes),
        subject=subject,
        since=choice.since,
    )


def recorded_choice(subject: Subject) -> Choice:
    """The last decision on record, for use outside a request; none when there is none that still holds."""
    names = pseudonyms.every(subject, CONSENT_DAYS)
    if not names:
        return Choice()
    since = pseudonyms.start_of(CONSENT_DAYS)
    with transaction.atomic():  # a savepoint: a failure here leaves the shop's own transaction as it was
        row = ConsentRecord.objects.filter(subject__in=names, at__gte=since).order_by("-at", "-pk").first()
    if row is None:
        return Choice()
    purposes = frozenset(row.purposes) & frozenset(PURPOSES)
    return Choice(purposes, True, row.signal, subject.visitor, row.at)


def remember_choice(request: HttpRequest, choice: Choice) -> None:
    """From now on this request's visitor has decided so."""
    request.__dict__[_CACHED] = choice


def put_cookies(response: HttpResponseBase, request: HttpRequest, choice: Choice) -> None:
    """Hand the decision to the browser: signed, for our eyes, and as one bit for the beacon's script."""
    kept = {
        "m": conf.PRIVACY_MODE,
        "p": sorted(choice.purposes),
        "k": choice.key,
        "s": round(choice.since.timestamp(), 6) if choice.since else 0,
    }
    options: dict[str, Any] = {
        "max_age": CONSENT_DAYS * SECONDS_A_DAY,
        "path": settings.SESSION_COOKIE_PATH,
        "domain": settings.SESSION_COOKIE_DOMAIN,
        "secure": settings.SESSION_COOKIE_SECURE or request.is_secure(),
        "samesite": "Lax",
    }
    plain: HttpResponse = response  # type: ignore[assignment]
    plain.set_cookie(COOKIE, signing.dumps(kept, salt=SALT), httponly=True, **options)
    plain.set_cookie(FLAG, "1" if choice.purposes & KEEPING else "0", httponly=False, **options)
