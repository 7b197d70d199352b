"""Click-through of photo searches, and rank of the clicked product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import F, QuerySet
from django.utils import timezone

from .. import conf
from ..evaluation.bootstrap import mean_interval
from ..events.history import OUTCOMES, SIMULATED
from ..events.models import Event, Kind
from ..privacy.consent import BITS
from ..privacy.small_groups import LEAST_SUBJECTS, is_too_small, withheld_below

DAYS = 90  # looked back; events are kept no longer unless the shop says so
LEAST_SEARCHES = 30  # of fewer, one click is more than three points
LISTINGS_AT_ONCE = 500


@dataclass(slots=True)
class _Search:
    """One photo search, whose it was, and the rank (from 1) of what was chosen of its answer, where known."""

    subject: str
    clicked: bool = False
    ranks: list[int] = field(default_factory=list)


def evaluate_search_clicks(days: int = DAYS, *, now: datetime | None = None) -> dict[str, Any]:
    """Share of photo searches with a click, and ranks of the products clicked.

    Only events whose visitor agreed to improvement are read. Purchases and products put into the basket count as
    clicks: they were chosen. Nothing is said of fewer than ``LEAST_SUBJECTS`` visitors.

    Args:
        days: looked back. now: the end of that time; the present if not given.

    Returns:
        ``days``, ``privacy_mode``, ``missing`` (``searches`` and ``visitors`` lacking; then there are no
        figures), ``searches``, ``visitors``, ``simulated`` (searches that nobody made), ``click_share`` with
        ``click_share_interval`` (95 %, visitors drawn with replacement), and ``rank`` of the products clicked:
        ``clicks``, ``median``, ``first_share``, ``first_5_share``, ``mean_reciprocal``. Share and rank are None
        where too few visitors clicked.
    """
    until = now or timezone.now()
    rows = _allowed(until - timedelta(days=days), until)
    asked = rows.filter(kind=Kind.PHOTO_SEARCH).exclude(listing="")
    searches = {listing: _Search(subject) for listing, subject in asked.values_list("listing", "subject")}
    visitors = len({one.subject for one in searches.values()})
    missing = {
        "searches": max(0, LEAST_SEARCHES - len(searches)),
        "visitors": max(0, LEAST_SUBJECTS - visitors),
    }
    answer: dict[str, Any] = {"days": days, "privacy_mode": conf.PRIVACY_MODE, "missing": missing}
    if is_too_small(visitors):
        return answer | {"missing": {"searches": LEAST_SEARCHES, "visitors": LEAST_SUBJECTS}}
    if missing["searches"]:
        return answer
    _choices(rows, searches)
    found = list(searches.values())
    return answer | {
        "searches": len(found),
        "visitors": visitors,
        "simulated": asked.filter(key__startswith=SIMULATED).count(),
        **_share(found),
        "rank": _ranks(found),
    }


def _allowed(since: datetime, until: datetime) -> QuerySet[Any]:
    """Events of that time whose visitor agreed to improvement."""
    bit = BITS["improvement"]
    rows = Event.objects.annotate(improves=F("purposes").bitand(bit))
    return rows.filter(at__gte=since, at__lt=until, improves=bit)


def _choices(rows: QuerySet[Any], searches: dict[str, _Search]) -> None:
    """Note in each search what was chosen of it; each product once, at its first known rank."""
    listings = list(searches)
    seen: dict[tuple[str, str], int | None] = {}
    for start in range(0, len(listings), LISTINGS_AT_ONCE):
        part = rows.filter(listing__in=listings[start : start + LISTINGS_AT_ONCE], kind__in=OUTCOMES)
        for listing, product, position in part.values_list("listing", "product", "position"):
            if seen.get((listing, product)) is None:
                seen[listing, product] = position
    for (listing, _), position in seen.items():
        searches[listing].clicked = True
        if position is not None:
            searches[listing].ranks.append(position + 1)


def _share(searches: Sequence[_Search]) -> dict[str, Any]:
    """Share of searches with a click; None where one to four visitors alone clicked."""
    if withheld_below(len({one.subject for one in searches if one.clicked})) is None:
        return {"click_share": None, "click_share_interval": None}
    clicked = np.array([one.clicked for one in searches], float)
    subjects = np.array([one.subject for one in searches])
    low, high = mean_interval(clicked, subjects)
    return {
        "click_share": round(float(clicked.mean()), 4),
        "click_share_interval": [round(low, 4), round(high, 4)],
    }


def _ranks(searches: Sequence[_Search]) -> dict[str, Any] | None:
    ranks = np.array([rank for one in searches for rank in one.ranks], float)
    if is_too_small(len({one.subject for one in searches if one.ranks})):
        return None
    return {
        "clicks": len(ranks),
        "median": float(np.median(ranks)),
        "first_share": round(float((ranks == 1).mean()), 4),
        "first_5_share": round(float((ranks <= 5).mean()), 4),
        "mean_reciprocal": round(float((1 / ranks).mean()), 4),
    }
