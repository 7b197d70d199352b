"""Receive events from the browser."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from ... import metrics
from ...events.models import Kind
from ...events.record import NewEvent, record_events
from ...events.tracking import existing, impression_key
from ..schema import described, errors
from ..serializers_events import EventsAnswer, EventsRequest
from ..throttles import EventThrottle
from ..uploads import SmallJSONParser
from .base import PublicView, checked


class EventsView(PublicView):
    """Events of one visitor, as the beacon's script gathers them."""

    throttle_classes = (EventThrottle,)
    parser_classes: Sequence[type[BaseParser]] = (SmallJSONParser,)

    @described(
        operation_id="events",
        request=EventsRequest,
        responses={202: EventsAnswer, **errors(400, 413, 415, 429)},
    )
    def post(self, request: Request) -> Response:
        """Take at most 100 events.

        What the visitor did not allow, and what is about a product that the shop does not have, is dropped;
        that is no error.
        """
        given = checked(EventsRequest, request.data).validated_data
        now = timezone.now()
        ahead = now - given["sent_at"] if "sent_at" in given else timedelta()  # the browser's clock is off by
        told = _of_existing(given["events"])
        done = record_events([_event(one, ahead) for one in told], request=request._request)
        unknown = len(given["events"]) - len(told)
        return Response({"taken": done.taken, "dropped": done.dropped + unknown}, status=202)


def _of_existing(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events about no product, or one that the shop has: others would swell its sums with what nobody sells."""
    there = existing(one["product"] for one in events if "product" in one)
    kept = [one for one in events if "product" not in one or str(one["product"]) in there]
    metrics.count("events_of_unknown_products", len(events) - len(kept))
    return kept


def _event(one: dict[str, Any], ahead: timedelta) -> NewEvent:
    """An event of the browser's; its key cannot meet one of the server's, but for impressions."""
    listing, position = one.get("listing", ""), one.get("position")
    key = f"c:{one['id']}"
    if one["kind"] == Kind.IMPRESSION and listing and position is not None:
        key = impression_key(listing, position)
    try:
        at = one["at"] + ahead if "at" in one else None
    except OverflowError:
        at = None
    return NewEvent(
        one["kind"],
        one.get("product"),
        listing=listing,
        position=position,
        value=one.get("value"),
        text=one.get("text", ""),
        at=at,
        key=key,
    )
