"""Reasons for a product's place in a listing, and their wording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from ..catalogue.visibility import visible_refs
from ..events.tracking import titles
from ..types import ProductRef
from .interactions import Profile
from .item_model.model import Knowledge
from .order_cache import Reason

SIGNALS = {"together": "together", "next": "after", "after": "after"}
"""Neighbours of the knowledge, with the reason each is."""
FRESH_DAYS = 14.0
MOST_OF_ONE = 0.5  # share of a listing that one category may have, to be a reason
LEAST_ACTS = 5.0  # views, or what counts as much, below which nothing is popular yet
POPULAR = 0.9  # share of the listing's products that a popular one exceeds


def strongest(
    knowledge: Knowledge,
    profile: Profile,
    numbers: np.ndarray,
    likeness: np.ndarray | None,
    alike: float,
) -> dict[int, Reason]:
    """By place, the best reason that the profile gives.

    In turn: it was looked at itself; it goes with one that was; it looks like one.

    Args:
        numbers: of the candidates, (L,).
        likeness: (L, P), nan where unknown. alike: from where on two photos are called alike.
    """
    if not len(profile):
        return {}
    liked = profile.strengths > 0
    found: dict[int, Reason] = {}
    if likeness is not None and likeness.size:
        seen = np.where(liked[None, :] & ~np.isnan(likeness), likeness, -1.0)
        best = seen.argmax(axis=1)
        for place in np.flatnonzero(seen.max(axis=1) >= alike).tolist():
            found[place] = Reason("looks", profile.refs[best[place]])
    found.update(_going_with(knowledge, profile, numbers, liked))
    where = {int(number): place for place, number in enumerate(numbers.tolist()) if number >= 0}
    for number, positive, ref in zip(profile.items.tolist(), liked.tolist(), profile.refs, strict=True):
        if positive and number in where:
            found[where[number]] = Reason("seen", ref)
    return found


def _going_with(
    knowledge: Knowledge, profile: Profile, numbers: np.ndarray, liked: np.ndarray
) -> Mapping[int, Reason]:
    """Candidates that a product of the profile points at; the heaviest pointer is named."""
    where = {int(number): place for place, number in enumerate(numbers.tolist()) if number >= 0}
    best: dict[int, tuple[float, Reason]] = {}
    for signal, kind in SIGNALS.items():
        lists = knowledge.neighbours.get(signal)
        if lists is None:
            continue
        for number, positive, ref in zip(profile.items.tolist(), liked.tolist(), profile.refs, strict=True):
            if not positive or not 0 <= number < len(knowledge):
                continue
            for target, weight in zip(
                lists.ids[number].tolist(), lists.weights[number].tolist(), strict=True
            ):
                place = where.get(target, -1)
                if place >= 0 and weight > best.get(place, (0.0, None))[0]:
                    best[place] = (weight, Reason(kind, ref))
    return {place: reason for place, (_, reason) in best.items()}


def same_category(categories: np.ndarray, liked: np.ndarray, names: Sequence[str]) -> dict[int, Reason]:
    """By place, that a product of the same category was looked at; nothing where nearly all are of it.

    Args:
        categories: of the candidates, -1 where unknown, (L,). liked: of the profile's products.
        names: of the candidates' categories.
    """
    wanted = [one for one in np.unique(liked[liked >= 0]) if (categories == one).mean() <= MOST_OF_ONE]
    places = np.flatnonzero(np.isin(categories, wanted)).tolist()
    return {place: Reason("category", names[place]) for place in places if names[place]}


def general(popularity: np.ndarray, ages_days: np.ndarray) -> dict[int, Reason]:
    """By place, the reason that is everybody's: new, or popular among these.

    Args:
        popularity: acts counted lately, 0 where none; (L,). ages_days: nan where unknown, (L,).
    """
    found: dict[int, Reason] = {}
    if popularity.any():
        least = max(float(np.quantile(popularity, POPULAR)), LEAST_ACTS)
        found.update({place: Reason("popular") for place in np.flatnonzero(popularity >= least).tolist()})
    fresh = np.nan_to_num(ages_days, nan=np.inf) <= FRESH_DAYS
    if not fresh.all():
        found.update({place: Reason("new") for place in np.flatnonzero(fresh).tolist()})
    return found


MOST_TITLE = 60  # characters of a product's title within a reason


def in_words(reasons: Mapping[str, Reason], request: Any) -> dict[str, str]:
    """The reasons in the visitor's language; products are named as the shop names them now.

    One that the shop does not show the request's visitor any more is not named.
    """
    about = {one.about for one in reasons.values() if one.about and one.kind != "category"}
    named = titles(visible_refs([ProductRef.parse(ref) for ref in about], request))
    return {
        key: _said(one, one.about if one.kind == "category" else named.get(one.about, ""))
        for key, one in reasons.items()
    }


def _said(reason: Reason, title: str) -> str:
    title = title if len(title) <= MOST_TITLE else title[: MOST_TITLE - 1].rstrip() + "…"
    alone = {
        "seen": _("You looked at this"),
        "looks": _("Looks like something you looked at"),
        "together": _("Often together with something you looked at"),
        "after": _("Often looked at next"),
        "popular": _("Popular now"),
        "new": _("New in the shop"),
        "explored": _("Something different"),
    }
    with_title = {
        "looks": _("Looks like “%(title)s”, which you looked at"),
        "together": _("Often together with “%(title)s”"),
        "after": _("Often looked at after “%(title)s”"),
        "category": _("Also in “%(title)s”"),
    }
    if title and reason.kind in with_title:
        return with_title[reason.kind] % {"title": title}
    return alone.get(reason.kind, "")
