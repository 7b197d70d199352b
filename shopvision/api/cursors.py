"""Cursor pagination of lists by their sort key, with signed cursors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.core.signing import BadSignature, Signer
from django.db.models import Q, QuerySet
from django.utils.http import urlencode

from ..exceptions import InvalidRequest


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
