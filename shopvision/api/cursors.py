"""Signed cursors of lists that are read by their order: no page repeats or loses a row that stays."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from django.core.signing import BadSignature, Signer
from django.db.models import Q, QuerySet
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


def page(
    rows: QuerySet[Any],
    order: tuple[str, str],
    given: Mapping[str, Any],
    answer: Callable[[Any], Any],
    path: str,
) -> dict[str, Any]:
    """One page of rows in descending order of a field, ascending of a second that is unique.

    Args:
        order: names of the two fields.
        given: the request's checked parameters; all but ``cursor`` and ``limit`` are filters.
        answer: a row as JSON.
        path: of the list, for the link to the next page.

    Raises:
        InvalidRequest: ``invalid_cursor``: it is not one of ours, or of other filters.
    """
    first, second = order
    filters = {key: value for key, value in given.items() if key not in ("cursor", "limit")}
    signer = Signer(salt=f"shopvision.page.{path}.{json.dumps(filters, sort_keys=True, default=str)}")
    if "cursor" in given:
        value, key = _read(signer, given["cursor"])
        rows = rows.filter(Q(**{f"{first}__lt": value}) | Q(**{first: value, f"{second}__gt": key}))
    found = list(rows.order_by(f"-{first}", second)[: given["limit"] + 1])
    shown, more = found[: given["limit"]], len(found) > given["limit"]
    link = None
    if more:
        last = [_plain(getattr(shown[-1], name)) for name in order]
        query = {**filters, "limit": given["limit"], "cursor": signer.sign(json.dumps(last))}
        link = f"{path}?{urlencode(query)}"
    return {"next": link, "results": [answer(row) for row in shown]}


def _read(signer: Signer, text: str) -> tuple[Any, Any]:
    try:
        value, key = json.loads(signer.unsign(text))
    except (BadSignature, ValueError) as error:
        raise InvalidRequest("list_cursor_invalid", code="invalid_cursor") from error
    return value, key


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, float)) else str(value)
