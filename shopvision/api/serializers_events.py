"""Serializers of events, consent and privacy."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ..events.models import Kind
from ..events.record import MOST_POSITION, MOST_TEXT, PRODUCTLESS
from ..privacy.consent import PURPOSES
from .serializers import MOST_REF, MomentField, OneOfField, ProductField

MOST_EVENTS = 100  # of one request
LISTING = re.compile(r"(?:s_)?([0-9a-f]{32})(?:\.[\w-]{20,64})?")
LISTING_PATTERN = {
    "type": "string",
    "maxLength": 110,
    "description": "`id` of the listing or search it was shown in",
}
REF_PATTERN = {"type": "string", "maxLength": MOST_REF, "description": "app.model:key"}


@extend_schema_field(REF_PATTERN)
class EventProductField(ProductField):
    """``app.model:key``."""


@extend_schema_field(LISTING_PATTERN)
class ListingField(serializers.CharField):
    """A listing's id; of a search's signed id, the part that names it."""

    def to_internal_value(self, data: Any) -> str:
        """32 hexadecimal digits, or "" ."""
        text = super().to_internal_value(data)
        found = LISTING.fullmatch(text)
        if text and not found:
            raise serializers.ValidationError("it is no listing's id")
        return found[1] if found else ""


class EventRequest(serializers.Serializer):  # type: ignore[type-arg]
    """One event."""

    id = serializers.RegexField(
        r"^[A-Za-z0-9_-]{8,64}\Z",
        trim_whitespace=False,
        help_text="made up by the browser; sending an event twice counts once",
        error_messages={"invalid": "it takes 8 to 64 of A-Z a-z 0-9 _ -"},
    )
    kind = OneOfField(Kind.choices)
    product = EventProductField(required=False)
    listing = ListingField(required=False, allow_blank=True, max_length=110)
    position = serializers.IntegerField(required=False, min_value=0, max_value=MOST_POSITION)
    value = serializers.FloatField(
        required=False, min_value=0, max_value=1_000_000, help_text="stars, or pieces"
    )
    text = serializers.CharField(
        required=False, allow_blank=True, max_length=MOST_TEXT, help_text="words searched for"
    )
    at = MomentField(required=False, help_text="by the browser's clock")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """All but searches are about a product."""
        if attrs["kind"] not in PRODUCTLESS and "product" not in attrs:
            raise serializers.ValidationError({"product": f"a {attrs['kind']} needs one"})
        return attrs


class EventsRequest(serializers.Serializer):  # type: ignore[type-arg]
    """Events of one visitor."""

    sent_at = MomentField(required=False, help_text="the browser's clock now; tells how far `at` is off")
    events = serializers.ListField(child=EventRequest(), min_length=1, max_length=MOST_EVENTS)


class EventsAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """How many were taken; none is named, so a browser forgets them all."""

    taken = serializers.IntegerField(min_value=0)
    dropped = serializers.IntegerField(
        min_value=0, help_text="refused, repeated, too many, or about a product the shop does not have"
    )


class Agreement(serializers.BooleanField):
    """True or false and nothing that looks like it: consent is never guessed."""

    def to_internal_value(self, data: Any) -> bool:
        """The value."""
        if not isinstance(data, bool):
            raise serializers.ValidationError("it takes true or false")
        return data


class Purposes(serializers.Serializer):  # type: ignore[type-arg]
    """What the visitor agrees to; what is left out is refused, and any other name is an error."""

    personalisation = Agreement(required=False, default=False)
    improvement = Agreement(required=False, default=False)
    marketing = Agreement(required=False, default=False)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Agreement by purpose; a mistyped name must not count as a refusal of everything, which erases."""
        unknown = sorted(set(map(str, data)) - set(PURPOSES)) if isinstance(data, dict) else []
        if unknown:
            named = ", ".join(repr(name[:MOST_TEXT]) for name in unknown[: len(PURPOSES)])
            raise serializers.ValidationError(f"{named}: no such purpose; it takes {', '.join(PURPOSES)}")
        agreed: dict[str, Any] = super().to_internal_value(data)
        return agreed


class ConsentRequest(serializers.Serializer):  # type: ignore[type-arg]
    """A decision."""

    purposes = Purposes()

    def agreed(self) -> list[str]:
        """Purposes agreed to."""
        return [name for name in PURPOSES if self.validated_data["purposes"][name]]


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectAnswer(serializers.Field):  # type: ignore[type-arg]
    """A JSON object."""


class ConsentAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """What holds for this visitor."""

    mode = serializers.ChoiceField(["off", "session", "consent"])
    decided = serializers.BooleanField(help_text="the visitor was asked and answered")
    signal = serializers.ChoiceField(["gpc", "dnt", ""], help_text="the browser refuses for its user")
    purposes = Purposes()
    erased = ObjectAnswer(allow_null=True, help_text="the receipt, when a withdrawal erased something")


class ReceiptAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """Proof of an erasure; names nobody."""

    receipt = serializers.UUIDField(allow_null=True, help_text="null where nothing was kept")
    at = MomentField()
    counts = ObjectAnswer(help_text="rows by table")


class ExportAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """All that is kept of this visitor."""

    at = MomentField()
    visitor = serializers.CharField(
        allow_blank=True,
        help_text="the key this browser's rows are found by; who asks the shop by letter names it",
    )
    kept_days = ObjectAnswer(help_text="days by table")
    tables = ObjectAnswer(help_text="rows by table, newest first")
    session = ObjectAnswer(help_text="what the visitor's own session holds")
