"""Signed ids of stored searches, and signed cursors of their pages."""

from __future__ import annotations

import uuid

from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils.http import urlencode

from ..exceptions import InvalidRequest

PREFIX = "s_"


def public_id(search: str) -> str:
    """What a client may know of a stored search: its id, signed, so that a made-up one costs no query."""
    return PREFIX + Signer(salt="shopvision.search").sign(uuid.UUID(search).hex).replace(":", ".")


def search_id(public: str) -> str:
    """The stored search's id behind a public one.

    Raises:
        InvalidRequest: ``not_found``: we never gave it out.
    """
    try:
        signed = public.removeprefix(PREFIX).replace(".", ":")
        return str(uuid.UUID(Signer(salt="shopvision.search").unsign(signed)))
    except (BadSignature, ValueError) as error:
        raise InvalidRequest("search_expired_or_unknown", code="not_found") from error


def cursor(search: str, offset: int, limit: int) -> str:
    """Where a page of this search starts and how long it is, signed."""
    return _cursors(search).sign(f"{offset}-{limit}")


def read_cursor(search: str, text: str) -> tuple[int, int]:
    """Offset and limit of a cursor of this search.

    Raises:
        InvalidRequest: ``invalid_cursor``: it is not one of ours, or it belongs to another search.
    """
    try:
        offset, limit = _cursors(search).unsign(text).split("-")
        return int(offset), int(limit)
    except (BadSignature, ValueError) as error:
        raise InvalidRequest("search_cursor_invalid", code="invalid_cursor") from error


def page_link(search: str, offset: int, limit: int) -> str:
    """Path and query of a page; without a host, so that it is right behind any proxy."""
    path = reverse("shopvision:stored-search", args=[public_id(search)])
    return f"{path}?{urlencode({'cursor': cursor(search, offset, limit)})}"


def _cursors(search: str) -> Signer:
    return Signer(salt=f"shopvision.cursor.{uuid.UUID(search).hex}")
