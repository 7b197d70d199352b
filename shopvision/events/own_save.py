"""Own save: what we keep in a visitor's session is lost rather than cost the shop its page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connections, router

from .. import telemetry
from ..privacy.consent import SESSION

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
            telemetry.count("visit_not_kept")
            telemetry.log.warning("the session was not saved, what was looked at is forgotten: %s", error)
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
