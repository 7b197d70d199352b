"""What may be kept of a search: nothing of who refuses, of a crawler, or outside a visitor's request."""

from __future__ import annotations

from typing import Any

from ..events.admit import why_not
from ..privacy.consent import NOTHING, Permission, may_record


def permission_of(context: Any) -> Permission:
    """What the visitor whose request this is lets us keep.

    Args:
        context: the request, Django's or DRF's; anything else speaks for nobody, and nothing may be kept.
    """
    plain = getattr(context, "_request", context)
    if not hasattr(plain, "META") or why_not(plain):
        return NOTHING
    return may_record(plain)
