"""Recent products and daily marks in the visitor's Django session; best-effort session writes."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connections, router
from django.http import HttpRequest

from .. import metrics, timestamps
from ..privacy.consent import SESSION
from .models import Kind

WAIT_MS = 250  # for another writer of SQLite, where the session is saved for our sake alone


def saves_gently(session: Any) -> None:
    """From now on, a save that only we have made necessary waits briefly and never fails.

    The session may be saved for the shop's sake too: what it keeps is compared when the save comes, and then
    the save is the shop's own, with its own patience and its own errors.

    Args:
        session: of a request, before our first change; one that the shop has changed already is left alone.
    """
    if getattr(session, "modified", True) or "save" in vars(session):
        return
    shops = _without_ours(session)
    save = session.save

    def gently(*args: Any, **kwargs: Any) -> Any:
        if _without_ours(session) != shops:
            return save(*args, **kwargs)
        try:
            with _briefly(session):
                return save(*args, **kwargs)
        except DatabaseError as error:
            metrics.count("visit_not_kept")
            metrics.log.warning("the session was not saved, what was looked at is forgotten: %s", error)
            return None

    session.save = gently


def _without_ours(session: Any) -> dict[str, Any]:
    return {key: value for key, value in session.items() if key != SESSION}


@contextmanager
def _briefly(session: Any) -> Iterator[None]:
    """Where the session lies in SQLite, wait less long for another writer than the shop does."""
    model = getattr(session, "model", None)
    connection = connections[router.db_for_write(model)] if model is not None else None
    if connection is None or connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {min(int(before), WAIT_MS)}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(before)}")


MOST_PRODUCTS = 20  # remembered; a cookie session holds 4 KB in all
MOST_BYTES = 2000  # of them, as JSON: all with a number as key, 19 with a UUID, 7 with 200 characters
MOST_COUNTED = 64  # products one visitor adds to the day's sums
MOST_MARKS = 16  # of experiments; one sets four
VISIT_SECONDS = 1800  # of silence end a visit, as in web analytics
KINDS = frozenset(
    {Kind.VIEW, Kind.CLICK, Kind.BASKET_ADD, Kind.BASKET_REMOVE, Kind.PURCHASE, Kind.RATE, Kind.HIDE}
)


class Visit:
    """The visitor's session, as far as it is ours; without a session, nothing is remembered.

    Read when first asked, so that a page that only counts impressions stays free of the session, and of the
    ``Vary: Cookie`` that comes with it.
    """

    def __init__(self, request: HttpRequest | None) -> None:
        self._session = getattr(request, "session", None)
        self._read: dict[str, Any] | None = None

    @property
    def _kept(self) -> dict[str, Any]:
        if self._read is None:
            kept = self._session.get(SESSION) if self._session is not None else None
            self._read = kept if isinstance(kept, dict) else {}
        return self._read

    def name(self) -> str:
        """Random name of this visit; a new one after half an hour of silence."""
        now = int(time.time())
        if not self._kept.get("v") or now - int(self._kept.get("t", 0)) > VISIT_SECONDS:
            self._kept["v"] = secrets.token_hex(8)
        self._kept["t"] = now
        self._changed()
        return str(self._kept["v"]) if self._session is not None else ""

    def owner(self) -> str:
        """Random name under which listings of this visitor are kept; it goes when the visitor is forgotten."""
        return str(self._kept.get("o", ""))

    def knows(self, key: str) -> bool:
        """An event with this key is among those remembered."""
        return any(row[3] == mark(key) for row in self._kept.get("i", ()))

    def remember(self, kind: str, product: str, at: datetime, key: str, value: float | None = None) -> None:
        """Add a product; the oldest gives way."""
        row = [product, kind, round(at.timestamp(), 6), mark(key), value]
        rows = [*self._kept.get("i", ()), row][-MOST_PRODUCTS:]
        while len(rows) > 1 and len(json.dumps(rows)) > MOST_BYTES:
            rows = rows[1:]
        self._kept["i"] = rows
        self._kept.setdefault("o", secrets.token_hex(8))
        self._changed()

    def token(self, first: str) -> str:
        """What the visitor is divided among arms of experiments by; made once, of ``first`` or at random."""
        if not self._kept.get("a"):
            self._kept["a"] = first or secrets.token_hex(8)
            self._changed()
        return str(self._kept["a"])

    def has_reached(self, what: str) -> bool:
        """``reached`` was asked of it before."""
        return what in self._kept.get("e", ())

    def reached(self, what: str) -> bool:
        """True the first time a short mark is set on this visitor; the oldest gives way."""
        if self._session is None or self.has_reached(what):
            return False
        self._kept["e"] = [*self._kept.get("e", ()), what][-MOST_MARKS:]
        self._changed()
        return True

    def counts_today(self, product: str, day: str) -> bool:
        """True the first time this visitor adds the product to the day's sums, for so many products a day."""
        if self._session is None:
            return False
        today = self._kept.get("c")
        if not isinstance(today, list) or not today or today[0] != day:
            today = [day]
        short = mark(product)
        if short in today[1:] or len(today) > MOST_COUNTED:
            return False
        self._kept["c"] = [*today, short]
        self._changed()
        return True

    def products(self) -> Sequence[tuple[str, str, datetime, str, float | None]]:
        """Product, kind, time, short key and value, newest first."""
        rows = self._kept.get("i", ())
        return [(row[0], row[1], timestamps.from_seconds(row[2]), row[3], row[4]) for row in rows[::-1]]

    def _changed(self) -> None:
        if self._session is not None:
            saves_gently(self._session)
            self._session[SESSION] = self._kept


def mark(text: str) -> str:
    """Eight characters that stand for a text among a few dozen."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
