"""What may be kept of a search: nothing of who refuses, and nothing of a crawler."""

from __future__ import annotations

from typing import Any

from ..events.admit import plain_request, why_not
from ..privacy.consent import NOTHING, Permission, may_record


def permission_of(context: Any) -> Permission:
    """What the visitor whose request this is lets us keep.

    Args:
        context: the request, Django's or DRF's; without one, or with anything else, it is nobody's search.
    """
    plain = plain_request(context)
    if not hasattr(plain, "META"):
        return may_record()
    return NOTHING if why_not(plain) else may_record(plain)
