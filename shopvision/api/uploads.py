"""Request parsing with own size limits, in memory."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any, NoReturn

from django.core.files.uploadedfile import InMemoryUploadedFile, UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from .. import conf
from ..exceptions import ImageRejected

MOST_DIGITS = 400  # of a whole number: a float has 309 at most
FORM_BYTES = 64 * 2**10  # what a request may hold beside the photo


def body_limit(content_type: str) -> int:
    """Most bytes of a body: the photo, a third more where it comes as base64, and the other fields."""
    share = 4 / 3 if "json" in content_type else 1
    return int(conf.MAX_UPLOAD_BYTES * share) + FORM_BYTES


def admit_body(request: Request) -> None:
    """Refuse a body that announces too much, before a byte of it is read, and read the rest into memory only.

    Raises:
        ImageRejected: ``too_large``.
    """
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if announced.isdecimal() and int(announced) > body_limit(request.content_type or ""):
        raise _too_large()
    plain = request._request
    if not hasattr(plain, "_files"):  # else a middleware of the shop's has read the form already
        plain.upload_handlers = [InMemoryHandler(plain)]


class InMemoryHandler(FileUploadHandler):
    """Keeps a file in memory and stops at the limit: a shopper's photo never touches the disk."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Start a file."""
        super().new_file(*args, **kwargs)
        self.buffer = BytesIO()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Take a part.

        Raises:
            ImageRejected: ``too_large``.
        """
        if start + len(raw_data) > conf.MAX_UPLOAD_BYTES:
            raise _too_large()
        self.buffer.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[Any]:
        """The whole file."""
        self.buffer.seek(0)
        return InMemoryUploadedFile(
            self.buffer, self.field_name, self.file_name, self.content_type, file_size, self.charset
        )


class CappedJSONParser(BaseParser):
    """JSON, strict, of at most ``body_limit`` bytes."""

    media_type = "application/json"

    def limit(self) -> int:
        """Most bytes of a body."""
        return body_limit("json")

    def too_large(self) -> ImageRejected:
        """What is said of a larger one."""
        return _too_large()

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The value.

        Raises:
            ParseError: it is not JSON, or nested deeper than Python recurses.
            ImageRejected: ``too_large``.
        """
        most = self.limit()
        data = stream.read(most + 1)
        if len(data) > most:
            raise self.too_large()
        try:
            return json.loads(data.decode("utf-8"), parse_constant=_no_constant, parse_int=_number)
        except RecursionError as error:
            raise ParseError("the body is nested too deeply") from error
        except ValueError as error:
            raise ParseError(f"the body is not JSON we can read: {error}") from error


class SmallJSONParser(CappedJSONParser):
    """JSON without a photo in it."""

    def limit(self) -> int:
        """Most bytes of a body; a browser's beacon sends at most as many."""
        return FORM_BYTES

    def too_large(self) -> ImageRejected:
        """What is said of a larger one."""
        return ImageRejected("too_large", "form_body_over_limit", form_bytes=f"{FORM_BYTES:,}")


def photo_bytes(value: Any) -> bytes:
    """The bytes of an uploaded file, or of base64 text with or without a ``data:`` prefix.

    Raises:
        ValueError: it is neither.
        ImageRejected: ``too_large``.
    """
    if isinstance(value, UploadedFile):
        return bytes(value.read())
    if not isinstance(value, str):
        raise ValueError("it takes a file, or base64 text")
    text = value.partition(",")[2] if value.startswith("data:") else value
    if len(text) > body_limit("json"):
        raise _too_large()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not base64") from error


def _too_large() -> ImageRejected:
    most = f"{conf.MAX_UPLOAD_BYTES:,}"
    return ImageRejected("too_large", "photo_bytes_over_limit", most=most)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _number(digits: str) -> int:
    """A whole number; Python's own refusal of a long one speaks of a function that it takes."""
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number has {len(digits):,} digits")
    return int(digits)
