"""Timestamps that follow the shop's ``USE_TZ``: aware or naive."""

from __future__ import annotations

from datetime import UTC, date, datetime

from django.conf import settings
from django.utils import timezone

SECONDS_A_DAY = 86_400


def from_seconds(seconds: float) -> datetime:
    """The moment so many seconds after 1970 began, comparable with ``timezone.now()`` and with stored times."""
    return datetime.fromtimestamp(seconds, UTC if settings.USE_TZ else None)


def as_kept(at: datetime) -> datetime:
    """The same moment, comparable with ``timezone.now()``, whether it came with an offset or not.

    Raises:
        OverflowError: it lies at an end of the calendar.
    """
    if settings.USE_TZ:
        return timezone.make_aware(at) if timezone.is_naive(at) else at
    if timezone.is_naive(at):
        return at
    try:
        return at.astimezone().replace(tzinfo=None)
    except (ValueError, OSError) as error:  # what the C library says of such a year
        raise OverflowError(f"{at} has no local time") from error


def with_offset(at: datetime) -> datetime:
    """The same moment, for who does not know the shop's settings."""
    return at.astimezone() if timezone.is_naive(at) else at


def as_text(at: datetime | None) -> str | None:
    """ISO 8601 to the second, with the offset."""
    return with_offset(at).isoformat(timespec="seconds") if at else None


def today() -> date:
    """The shop's day."""
    return timezone.localdate() if settings.USE_TZ else timezone.now().date()
