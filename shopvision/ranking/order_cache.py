"""Cached order of a listing, so that its pages neither repeat nor lose products."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.cache import caches

from .. import conf

MOST_KEYS = 2000  # of one order; beyond, pages are counted off in the shop's own order
FORMAT = 1  # of what lies in the cache


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a product stands where it does.

    Args:
        kind: as ``why`` puts it in words.
        about: the product it was seen through, as text; of the kind ``category``, the category's name.
    """

    kind: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a ranker made of some products.

    Args:
        order: places of the products in the order given, best first; each once.
        propensities: probability with which each of ``order`` stands where it does.
        reasons: by place in the order given.
    """

    order: tuple[int, ...]
    propensities: tuple[float, ...]
    reasons: Mapping[int, Reason] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """Keys of a listing's products as its visitor sees them, as far as that is known.

    Args:
        listing: its id, 32 hexadecimal digits.
        stamp: names what the order was made from; another stamp is another order.
        keys: primary keys as text; first those that were ranked, then what later pages showed.
        propensities: of the ranked ones; none where the shop's own order was kept.
        reasons: by key.
    """

    listing: str
    stamp: str
    keys: tuple[str, ...]
    propensities: tuple[float, ...] = ()
    reasons: Mapping[str, Reason] = field(default_factory=dict)

    def extended(self, keys: Sequence[str]) -> Order:
        """The same with what a further page showed."""
        known = set(self.keys)
        fresh = [key for key in dict.fromkeys(keys) if key not in known]
        return replace(self, keys=(*self.keys, *fresh)) if fresh else self

    def begun(self, count: int) -> Order:
        """The same without what later pages than its first ``count`` products showed."""
        return replace(self, keys=self.keys[:count]) if len(self.keys) > count else self

    def plain(self) -> dict[str, Any]:
        """As the cache keeps it: values that another version of ours can read, or refuse."""
        return {
            "format": FORMAT,
            "listing": self.listing,
            "stamp": self.stamp,
            "keys": list(self.keys),
            "propensities": list(self.propensities),
            "reasons": {key: [one.kind, one.about] for key, one in self.reasons.items()},
        }

    @classmethod
    def read(cls, kept: Any) -> Order | None:
        """What ``plain`` wrote; None when it is of another version."""
        if not isinstance(kept, dict) or kept.get("format") != FORMAT:
            return None
        reasons = {key: Reason(*one) for key, one in kept["reasons"].items()}
        return cls(kept["listing"], kept["stamp"], tuple(kept["keys"]), tuple(kept["propensities"]), reasons)


def ordered(listing: str, stamp: str, keys: Sequence[str], ranking: Ranking | None) -> Order:
    """The order that a ranking gives some keys; without one, their own."""
    if ranking is None:
        return Order(listing, stamp, tuple(keys))
    return Order(
        listing,
        stamp,
        tuple(keys[place] for place in ranking.order),
        ranking.propensities,
        {keys[place]: reason for place, reason in ranking.reasons.items()},
    )


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
