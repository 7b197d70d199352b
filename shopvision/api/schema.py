"""OpenAPI schema of the API, independent of the shop's own schema settings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any, TypeVar

from django.urls import get_script_prefix, reverse
from django.utils.module_loading import import_string
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.settings import patched_settings
from drf_spectacular.utils import OpenApiResponse, extend_schema

from .. import __version__
from .serializers import MOST_CATEGORIES, MOST_FILTERS, MOST_REF, MOST_RESULTS, ErrorAnswer

Method = TypeVar("Method", bound=Callable[..., Any])
_lock = threading.Lock()  # drf-spectacular's settings are one object for the whole process

PHRASES = {
    413: "Content Too Large",
    422: "Unprocessable Content",
}  # of RFC 9110; before 3.13 Python has the older
_MEANS = {
    400: "`invalid`, `invalid_cursor`, `invalid_selection`, `empty`, `too_few_labels`, "
    "`too_few_clicks`, `too_few_events`, `unknown_target`, "
    "`unknown_label`, `unknown_job`, `unknown_placement`, `product_needed`",
    401: "`not_authenticated`",
    403: "`permission_denied`, `forbidden`",
    404: "`not_found`, `no_map`",
    409: "`decided` (somebody was faster), `conflict`, `gone`, `no_classifier`, `no_previous`, `no_torch`, "
    "`nothing_to_undo`, `unreachable_error`",
    413: "`too_large`, `too_many_pixels`",
    415: "`unsupported_format`, `unsupported_media_type`",
    422: "`truncated`, `animated`, `too_small`",
    429: "`throttled`; `Retry-After` says when to come back",
    503: "`warming`, `queue_full`, `unavailable`; `Retry-After` says when to come back",
}
_FIELDS: dict[str, Any] = {
    "product": {"type": "string", "maxLength": MOST_REF, "description": "app.model:key, instead of an image"},
    "text": {"type": "string", "maxLength": 200, "description": "words that must occur"},
    "category": {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 255},
        "minItems": 1,
        "maxItems": MOST_CATEGORIES,
        "description": "any of these category ids",
    },
    "price_min": {"type": "string", "pattern": r"^\d{1,12}(\.\d{1,2})?$", "description": "inclusive"},
    "price_max": {"type": "string", "pattern": r"^\d{1,12}(\.\d{1,2})?$", "description": "inclusive"},
    "in_stock": {"type": "boolean"},
    "limit": {"type": "integer", "minimum": 1, "maximum": MOST_RESULTS, "default": 24},
}
_PAIR = {"type": "string", "pattern": r"^\w+=.+$", "maxLength": MOST_REF, "example": "brand=Acme"}
_FILTERS: dict[str, Any] = {
    "type": "array",
    "items": _PAIR,
    "minItems": 1,
    "maxItems": MOST_FILTERS,
    "description": "name=value of the shop's own filters; any value of a name, and every name",
}
_FILTERS_BY_NAME: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "minProperties": 1,
    "description": "the same by name",
}
_SESSION = {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "the shop's own sign-in"}
_CROP = (
    "x0,y0,x1,y1 in [0, 1] on the upright photo, at least a hundredth of each side; goes with an image only"
)
_CROP_TEXT = {"type": "string", "description": _CROP, "example": "0.1,0.1,0.9,0.8"}
_CROP_LIST = {
    "type": "array",
    "items": {"type": "number", "minimum": 0, "maximum": 1},
    "minItems": 4,
    "maxItems": 4,
    "description": _CROP,
}
_FILE = {"type": "string", "format": "binary", "description": "JPEG, PNG, WebP or AVIF"}
_BASE64 = {"type": "string", "format": "byte", "description": "a JPEG, PNG, WebP or AVIF file"}
_SUBJECT = [{"required": ["image"]}, {"required": ["product"]}]
SEARCH_BODY: dict[str, Any] = {
    "multipart/form-data": {
        "type": "object",
        "oneOf": _SUBJECT,
        "properties": {"image": _FILE, "crop": _CROP_TEXT, "filters": _FILTERS, **_FIELDS},
    },
    "application/json": {
        "type": "object",
        "oneOf": _SUBJECT,
        "properties": {
            "image": _BASE64,
            "crop": {"oneOf": [_CROP_LIST, _CROP_TEXT]},
            "filters": {"oneOf": [_FILTERS, _FILTERS_BY_NAME]},
            **_FIELDS,
        },
    },
}


def described(*, staff: bool = False, **words: Any) -> Callable[[Method], Method]:
    """``extend_schema`` that does not ask which schema class or sign-in the shop's DRF settings name."""
    auth: Any = [{"session": []}] if staff else [{}]

    def wrap(method: Method) -> Method:
        method.__dict__["kwargs"] = {"schema": AutoSchema}
        return extend_schema(auth=auth, **words)(method)

    return wrap


def errors(*codes: int) -> dict[int, OpenApiResponse]:
    """The error responses of an operation."""
    return {
        code: OpenApiResponse(ErrorAnswer, f"{PHRASES.get(code, HTTPStatus(code).phrase)}: {_MEANS[code]}")
        for code in codes
    }


def openapi() -> dict[str, Any]:
    """The schema as plain values; paths begin at the server's address, which is where the shop mounted us."""
    mount = reverse("shopvision:live").removesuffix("api/v1/health/live/")
    return {**_described(), "servers": [{"url": mount.rstrip("/") or get_script_prefix()}]}


@cache
def _described() -> dict[str, Any]:
    ours = {
        "TITLE": "shopvision",
        "DESCRIPTION": "A shopper photographs a thing and finds it in the shop.",
        "VERSION": __version__,
        "SCHEMA_PATH_PREFIX": "/api/v1",
        "SCHEMA_PATH_PREFIX_TRIM": False,
        "PREPROCESSING_HOOKS": [],
        "POSTPROCESSING_HOOKS": [],
        "ENUM_NAME_OVERRIDES": {},
        "APPEND_COMPONENTS": {"securitySchemes": {"session": _SESSION}},
        "SECURITY": [],
        "TAGS": [],
        "EXTERNAL_DOCS": {},
        "CONTACT": {},
        "LICENSE": {},
        "TOS": None,
        "EXTENSIONS_INFO": {},
        "EXTENSIONS_ROOT": {},
        "CAMELIZE_NAMES": False,
        "OAS_VERSION": "3.0.3",
    }
    patterns = import_string("shopvision.urls.urlpatterns")
    with _lock, patched_settings(ours):
        generator: Any = SchemaGenerator(patterns=patterns)  # type: ignore[no-untyped-call]
        schema: dict[str, Any] = generator.get_schema(request=None, public=True)
    return schema
