"""Rotating pseudonyms of subjects by keyed HMAC."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import salted_hmac

from .. import conf
from ..timestamps import SECONDS_A_DAY
from ..types import Subject

KEPT_BYTES = 16  # of the HMAC: 128 bits, far beyond any collision among visitors


def key_id(at: datetime) -> int:
    """Number of the day (since 1970) on which the key in use at ``at`` began."""
    day = int(at.timestamp() // SECONDS_A_DAY)
    return day - day % int(conf.PSEUDONYM_ROTATION_DAYS)


def pseudonym(subject: Subject, at: datetime | None = None) -> str:
    """The name a subject's rows carry at a time: ``key id.HMAC``; "" for nobody.

    A signed-in user's rows carry the user's pseudonym, so that deleting the user finds them.
    """
    names = _names(subject)
    return _derive(names[0], key_id(at or timezone.now()), settings.SECRET_KEY) if names else ""


def lineage(subject: Subject, since: datetime, until: datetime | None = None) -> tuple[str, ...]:
    """All names of a subject between two times, newest first: what its consent lets us link."""
    step = int(conf.PSEUDONYM_ROTATION_DAYS)
    last, first = key_id(until or timezone.now()), key_id(since)
    return tuple(_all(subject, range(last, first - 1, -step)))


def every(subject: Subject, days: int) -> tuple[str, ...]:
    """All names a subject can have had within ``days``; the oldest key may have begun a rotation before."""
    today = int(timezone.now().timestamp() // SECONDS_A_DAY)
    first = today - days - int(conf.PSEUDONYM_ROTATION_DAYS)
    return tuple(_all(subject, range(today, first - 1, -1))) if _names(subject) else ()


def start_of(days: int) -> datetime:
    """The time ``days`` ago."""
    return timezone.now() - timedelta(days=days)


def _names(subject: Subject) -> list[str]:
    """What is hashed, the user first."""
    named = (("user", subject.user_id), ("visitor", subject.visitor))
    return [f"{kind}:{value}" for kind, value in named if value]


def _all(subject: Subject, keys: Iterable[int]) -> list[str]:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    names = _names(subject)
    return [_derive(name, key, secret) for key in keys for secret in secrets for name in names]


def _derive(name: str, key: int, secret: str | bytes) -> str:
    made = salted_hmac(f"shopvision.pseudonym.{key}", name, secret=secret, algorithm="sha256").digest()
    return f"{key}.{base64.urlsafe_b64encode(made[:KEPT_BYTES]).decode().rstrip('=')}"
