"""Exception handler of the API: every error as ``{"detail", "code"}`` with its status."""

from __future__ import annotations

import math
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation, ValidationError
from django.db import OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions, status
from rest_framework.response import Response

from .. import metrics
from ..exceptions import ImageRejected, InvalidRequest, TemporaryFailure, WrongEncoder
from ..messages import Message

RETRY_SECONDS = 2  # for failures that do not say when trying again is worth it

IMAGE_STATUS = {
    "too_large": status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    "too_many_pixels": status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    "unsupported_format": status.HTTP_415_UNSUPPORTED_MEDIA_TYPE,
    "empty": status.HTTP_400_BAD_REQUEST,
}
"""Other codes of ``ImageRejected`` are 422: the bytes arrived, and no photo can be made of them."""

REQUEST_STATUS = {
    "not_found": status.HTTP_404_NOT_FOUND,
    "no_map": status.HTTP_404_NOT_FOUND,
    "forbidden": status.HTTP_403_FORBIDDEN,
    "conflict": status.HTTP_409_CONFLICT,
    "decided": status.HTTP_409_CONFLICT,
    "gone": status.HTTP_409_CONFLICT,
    "no_classifier": status.HTTP_409_CONFLICT,
    "no_torch": status.HTTP_409_CONFLICT,
    "no_previous": status.HTTP_409_CONFLICT,
    "nothing_to_undo": status.HTTP_409_CONFLICT,
    "unreachable_error": status.HTTP_409_CONFLICT,
}
"""Codes of ``InvalidRequest`` that are not plain 400."""

DRF_CODES = {
    "parse_error": "invalid",
    "unsupported_media_type": "unsupported_media_type",
    "authentication_failed": "not_authenticated",
}


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """The response for an exception; None for one that is our own fault, which Django then reports as 500."""
    found = _ours(error) or _drf(error) or _django(error)
    if found is not None:
        metrics.count(f"http_{found.status_code}")
    return found


def error_response(code: int, name: str, detail: str, *, retry_after: float | None = None) -> Response:
    """``{"detail", "code"}``, with ``Retry-After`` in whole seconds when given."""
    headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
    return Response({"detail": detail, "code": name}, status=code, headers=headers)


def _ours(error: Exception) -> Response | None:
    if isinstance(error, ImageRejected):
        wanted = IMAGE_STATUS.get(error.code, status.HTTP_422_UNPROCESSABLE_ENTITY)
        return error_response(wanted, error.code, str(error))
    if isinstance(error, InvalidRequest):
        return error_response(REQUEST_STATUS.get(error.code, 400), error.code, str(error))
    if isinstance(error, TemporaryFailure):
        return error_response(503, error.code, str(error), retry_after=error.retry_after_seconds)
    if isinstance(error, (WrongEncoder, OperationalError)):  # a release is being switched; a database is busy
        metrics.log.warning("answered 503: %s", error)
        return error_response(503, "unavailable", str(Message("busy")), retry_after=RETRY_SECONDS)
    return None


def _drf(error: Exception) -> Response | None:
    if not isinstance(error, exceptions.APIException):
        return None
    code = error.get_codes()
    name = DRF_CODES.get(code, code) if isinstance(code, str) else "invalid"
    response = error_response(
        error.status_code, name, _in_words(error.detail), retry_after=getattr(error, "wait", None)
    )
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    return response


def _django(error: Exception) -> Response | None:
    if isinstance(error, Http404):
        return error_response(404, "not_found", str(Message("not_found")))
    if isinstance(error, PermissionDenied):
        return error_response(403, "permission_denied", str(Message("permission_denied")))
    if isinstance(error, (SuspiciousOperation, ValidationError, UnreadablePostError)):
        return error_response(400, "invalid", str(Message("request_unreadable")))
    return None


def _in_words(detail: Any, field: str = "") -> str:
    """DRF's nested details on one line, each with the way to its field: ``limit: ...; events[3].kind: ...``."""
    if isinstance(detail, dict):
        return "; ".join(_in_words(value, _within(field, key)) for key, value in detail.items())
    if isinstance(detail, list):
        deep = any(isinstance(value, dict) for value in detail)  # one of each item, empty where it is right
        places = enumerate(detail) if deep else ((None, value) for value in detail)
        return "; ".join(
            _in_words(value, field if place is None else _within(field, place))
            for place, value in places
            if value
        )
    return f"{field}: {detail}" if field else str(detail)


def _within(field: str, key: str | int) -> str:
    """The way to a field, or to a place of a list, inside another."""
    if key == "non_field_errors":
        return field
    if isinstance(key, int):
        return f"{field}[{key}]"
    return f"{field}.{key}" if field else key
