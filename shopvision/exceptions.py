"""ShopvisionError and its few children."""

from functools import partial
from typing import Any

from django.core.exceptions import ImproperlyConfigured


class ShopvisionError(Exception):
    """Anything shopvision raises on purpose; catch this to catch all of it."""


class ImageRejected(ShopvisionError):
    """The bytes given are not a photo we can use; the caller's fault (4xx).

    Args:
        code: one of ``CODES``; stable, part of the public API.
        message: what is wrong, the value, the limit and what to do, for a person; ``%(name)s`` where a value goes,
            so that it can be said in the reader's language.
        values: by name.
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

    def __init__(self, code: str, message: str, **values: Any) -> None:
        if code not in self.CODES:
            raise ValueError(f"unknown rejection code {code!r}; one of {sorted(self.CODES)}")
        self.code = code
        self.template, self.values = message, values
        self.message = message % values if values else message
        super().__init__(self.message)

    def __reduce__(self) -> tuple[partial["ImageRejected"], tuple[str, str]]:
        """Survive pickling, so a worker process can hand it back."""
        return partial(type(self), **self.values), (self.code, self.template)


class TemporaryFailure(ShopvisionError):
    """Try again later (503); nothing is lost.

    Args:
        message: what failed.
        code: stable, part of the public API: ``warming``, ``queue_full`` or ``unavailable``.
        retry_after_seconds: when trying again is worth it.
    """

    def __init__(self, message: str, *, code: str = "unavailable", retry_after_seconds: int = 2) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class EncoderUnavailable(TemporaryFailure):
    """No encoder answered in time."""


class IndexUnavailable(TemporaryFailure):
    """The index cannot be read or written now."""


class WrongEncoder(ShopvisionError):
    """Vectors of one encoder were offered to an index of another."""


class Misconfigured(ShopvisionError, ImproperlyConfigured):
    """A setting, an adapter or a missing package stops us; the message says which and what to do."""


class InvalidRequest(ShopvisionError):
    """The question itself is wrong (400); the message says what to change."""

    def __init__(self, message: str, *, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code
