"""Profile of a visitor from recent events, within their consent."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils import timezone

from ..events.bot_filter import plain_request
from ..events.history import Seen, latest
from ..events.models import Kind
from ..events.session_history import Visit
from ..privacy.consent import subject_of
from ..timestamps import SECONDS_A_DAY
from .interactions import Profile
from .item_model.model import Knowledge

LATEST = 30  # acts looked at; older ones of the same visit say little more
NOBODY = ""
LONGEST_SESSION = 40  # characters of a session's key, as the table has; a cookie session's is all it holds


@dataclass(frozen=True, slots=True)
class Taste:
    """What a visitor did lately.

    Args:
        seen: newest first; empty where nothing is known or may be used.
        owner: names the visitor, for what is kept between two requests; NOBODY without a taste.
    """

    seen: tuple[Seen, ...] = ()
    owner: str = NOBODY

    @property
    def stamp(self) -> str:
        """Another one when the visitor has done something more."""
        acts = [f"{one.product} {one.kind} {one.at.timestamp():.3f}" for one in self.seen]
        return hashlib.sha256("\n".join(acts).encode()).hexdigest()[:32] if acts else ""

    def hidden(self) -> frozenset[str]:
        """Products the visitor does not want to see, as references."""
        return frozenset(str(one.product) for one in self.seen if one.kind == Kind.HIDE)

    def liked(self) -> tuple[Seen, ...]:
        """What speaks for an interest: all but what was hidden."""
        away = self.hidden()
        return tuple(one for one in self.seen if str(one.product) not in away)


def taste_of(request: Any) -> Taste:
    """The taste of a request's visitor; never raises, and is empty where it may not be used."""
    plain = plain_request(request)
    if plain is None:
        return Taste()
    seen = tuple(latest(plain, limit=LATEST))
    owner = _owner(plain) if seen else NOBODY
    return Taste(seen, owner) if owner else Taste()


def _owner(request: Any) -> str:
    """A name that ends with what the taste comes from: the visit's, or that of the consent."""
    subject = subject_of(request)
    return Visit(request).owner() or subject.visitor or subject.user_id


def viewer_of(request: Any) -> str:
    """Tells one viewer of a shared order from another, as far as anything does; else another at each page."""
    plain = plain_request(request)
    subject = subject_of(plain) if plain is not None else None
    known = (subject.visitor or subject.user_id) if subject is not None else ""
    return known or _session_of(plain) or secrets.token_hex(8)


def holder_of(request: Any) -> str:
    """Whose list it is, such as a wish list or a basket: the user's, or the session's; "" where nothing tells."""
    plain = plain_request(request)
    user = getattr(getattr(plain, "user", None), "pk", None)
    if user is not None:
        return f"user {user}"
    session = _session_of(plain)
    return f"session {session}" if 0 < len(session) <= LONGEST_SESSION else ""


def _session_of(request: Any) -> str:
    return getattr(getattr(request, "session", None), "session_key", None) or ""


@dataclass(frozen=True, slots=True)
class Liked:
    """Prices and categories of a profile's products, as the candidates have them."""

    prices: np.ndarray
    categories: np.ndarray


def profile_of(seen: Sequence[Seen], knowledge: Knowledge, numbers: np.ndarray, liked: Liked) -> Profile:
    """Acts as the features take them.

    Args:
        numbers: of the acts' products, from ``knowledge.number`` together with the candidates'.
        liked: price and category of each act's product.
    """
    now = timezone.now()
    ages = [max(0.0, (now - one.at).total_seconds() / SECONDS_A_DAY) for one in seen]
    values = [np.nan if one.value is None else one.value for one in seen]
    return Profile(
        numbers,
        tuple(str(one.product) for one in seen),
        tuple(one.kind for one in seen),
        np.array(ages, np.float32),
        np.array(values, np.float32),
        liked.prices,
        liked.categories,
    )
