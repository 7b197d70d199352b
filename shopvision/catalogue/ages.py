"""Since when products are in the shop, as its own field says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from django.core.exceptions import FieldError
from django.utils import timezone

from .. import moments, telemetry
from .adapter import Catalogue
from .keys import with_keys

SECONDS_A_DAY = 86400.0


def ages_days(shop: Catalogue, object_ids: Sequence[str]) -> dict[str, float]:
    """By key, days since products came into the shop; empty where the adapter's ``added`` names no field."""
    if not shop.added:
        return {}
    light = shop.queryset().select_related(None).prefetch_related(None).order_by()
    try:
        rows = with_keys(light, shop.python_keys(object_ids)).values_list("pk", shop.added)
    except FieldError:
        telemetry.count("added_failed")
        telemetry.log.warning("%s.added = %r is no field", type(shop).__name__, shop.added)
        return {}
    now = timezone.now()
    return {str(pk): _days(moment, now) for pk, moment in rows if isinstance(moment, date)}


def _days(moment: Any, now: datetime) -> float:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time.min)
    return max(0.0, float((now - moments.as_kept(moment)).total_seconds()) / SECONDS_A_DAY)
