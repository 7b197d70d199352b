"""ShopvisionError and its few children; each carries a message as a code with parameters."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

from django.core.exceptions import ImproperlyConfigured

from .messages import Message


class ShopvisionError(Exception):
    """Anything shopvision raises on purpose; catch this to catch all of it.

    Args:
        message: code of a registered message; ``str()`` of the error gives its words in the active language.
        params: its parameters.
    """

    def __init__(self, message: str, **params: Any) -> None:
        self.message = Message(message, params)
        super().__init__(message)

    def __str__(self) -> str:
        return str(self.message)

    def __reduce__(self) -> tuple[partial[Self], tuple[Any, ...]]:
        """Survive pickling, so a worker process can hand it back."""
        return partial(type(self), **self.message.params), (self.message.code,)


class ImageRejected(ShopvisionError):
    """The bytes given are not a photo we can use; the caller's fault (4xx).

    Args:
        code: one of ``CODES``; stable, part of the public API.
        message: code of the message that says what is wrong, the value, the limit and what to do.
        params: its parameters.
    """

    CODES = frozenset(
        {
            "too_large",
            "too_many_pixels",
            "unsupported_format",
            "truncated",
            "animated",
            "too_small",
            "empty",
        }
    )

    def __init__(self, code: str, message: str, **params: Any) -> None:
        if code not in self.CODES:
            raise ValueError(f"unknown rejection code {code!r}; one of {sorted(self.CODES)}")
        self.code = code
        super().__init__(message, **params)

    def __reduce__(self) -> tuple[partial[Self], tuple[Any, ...]]:
        """Survive pickling, so a worker process can hand it back."""
        return partial(type(self), **self.message.params), (self.code, self.message.code)


class TemporaryFailure(ShopvisionError):
    """Try again later (503); nothing is lost.

    Args:
        message: code of the message that says what failed.
        code: stable, part of the public API: ``warming``, ``queue_full`` or ``unavailable``.
        retry_after_seconds: when trying again is worth it.
    """

    def __init__(
        self, message: str, *, code: str = "unavailable", retry_after_seconds: int = 2, **params: Any
    ) -> None:
        super().__init__(message, **params)
        self.code = code
        self.retry_after_seconds = retry_after_seconds

    def __reduce__(self) -> tuple[partial[Self], tuple[Any, ...]]:
        """Survive pickling, so a worker process can hand it back."""
        kept = {"code": self.code, "retry_after_seconds": self.retry_after_seconds, **self.message.params}
        return partial(type(self), **kept), (self.message.code,)


class EncoderUnavailable(TemporaryFailure):
    """No encoder answered in time."""


class IndexUnavailable(TemporaryFailure):
    """The index cannot be read or written now."""


class WrongEncoder(ShopvisionError):
    """Vectors of one encoder were offered to an index of another."""


class Misconfigured(ShopvisionError, ImproperlyConfigured):
    """A setting, an adapter or a missing package stops us; the message says which and what to do."""


class InvalidRequest(ShopvisionError):
    """The question itself is wrong (400); the message says what to change.

    Args:
        message: code of the message.
        code: stable, part of the public API; decides the status.
    """

    def __init__(self, message: str, *, code: str = "invalid", **params: Any) -> None:
        super().__init__(message, **params)
        self.code = code

    def __reduce__(self) -> tuple[partial[Self], tuple[Any, ...]]:
        """Survive pickling, so a worker process can hand it back."""
        return partial(type(self), code=self.code, **self.message.params), (self.message.code,)
