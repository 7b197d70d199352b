"""Attribute purchases to the listing that led to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from .models import Event, Kind

if TYPE_CHECKING:
    from .writer import Pending

WINDOW = timedelta(days=7)  # a click older than this did not lead to the purchase
EFFECTS = frozenset({Kind.BASKET_ADD, Kind.PURCHASE})
CAUSES = frozenset({Kind.CLICK, Kind.BASKET_ADD})
JOINED = EFFECTS | CAUSES


def join(written: Sequence[tuple[Event, Pending]]) -> None:
    """Give purchases the listing and position of the latest click on the product before them.

    Looks back from the effects among ``written``, and forward from its causes: a phone that was offline
    reports its click after the shop has reported the purchase. Rows are linked across pseudonyms as far as
    the subject's consent reaches (``Pending.lineage``).
    """
    for row, pending in written:
        if row.kind in EFFECTS and not row.listing:
            _look_back(row, pending.lineage)
    causes = [(row, pending) for row, pending in written if row.kind in CAUSES and row.listing]
    for effect, lineage in _later_effects(causes):
        _look_back(effect, lineage)


def _look_back(effect: Event, lineage: Sequence[str]) -> None:
    cause = (
        Event.objects.filter(
            subject__in=lineage or [effect.subject],
            product=effect.product,
            kind__in=CAUSES,
            at__lte=effect.at,
            at__gte=effect.at - WINDOW,
        )
        .exclude(listing="")
        .exclude(pk=effect.pk)
        .order_by("-at", "-pk")
        .first()
    )
    if cause is not None:
        effect.listing, effect.position = cause.listing, cause.position
        Event.objects.filter(key=effect.key).update(listing=cause.listing, position=cause.position)


def _later_effects(causes: Sequence[tuple[Event, Pending]]) -> list[tuple[Event, Sequence[str]]]:
    """Effects already stored that happened after a click that has only now arrived."""
    if not causes:
        return []
    names = {name: pending.lineage for _, pending in causes for name in pending.lineage}
    found = Event.objects.filter(
        subject__in=list(names),
        product__in={row.product for row, _ in causes},
        kind=Kind.PURCHASE,
        at__gte=min(row.at for row, _ in causes),
    )
    return [(effect, names[effect.subject]) for effect in found]
