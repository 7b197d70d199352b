"""What is kept between two requests of a visitor: in the shop's cache, bounded and for a while only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.core.cache import caches

from .. import conf

PREFIX = "shopvision:rank"


def key_of(*parts: str) -> str:
    """A cache key that says nothing of its parts."""
    return f"{PREFIX}:{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:40]}"


def recall(*keys: str) -> Any | None:
    """The value of the first key that has one, in one round trip."""
    found = caches[conf.RANKING["cache"]].get_many(keys)
    return next((found[key] for key in keys if key in found), None)


def remember(values: Mapping[str, Any]) -> None:
    """Keep some for ``RANKING['keep_seconds']`` from now on, in one round trip."""
    caches[conf.RANKING["cache"]].set_many(dict(values), conf.RANKING["keep_seconds"])
