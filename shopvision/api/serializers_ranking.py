"""Serializers of re-ranking and recommendations."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from ..conf import MOST_WINDOW
from ..listings import PLACEMENTS
from .serializers import MOST_RESULTS, ProductAnswer
from .serializers_events import EventProductField

DEFAULT_STRIP = 12


class RerankRequest(serializers.Serializer):  # type: ignore[type-arg]
    """Products of a listing."""

    products = serializers.ListField(
        child=EventProductField(),
        min_length=1,
        max_length=MOST_WINDOW,
        help_text="in the shop's own order, each once; the first RANKING['window'] of them are re-ordered",
    )
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_WINDOW, help_text="answers wanted; all if not given"
    )
    shown = serializers.IntegerField(
        required=False,
        default=0,
        min_value=0,
        max_value=MOST_WINDOW,
        help_text="how many of the answers the page shows; these are recorded as impressions",
    )

    def validate_products(self, value: list[Any]) -> list[Any]:
        """Each once."""
        if len(set(value)) != len(value):
            raise serializers.ValidationError("a product may come once")
        return value


class RankedAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A product in its place."""

    product = serializers.CharField(help_text="app.model:key")
    position = serializers.IntegerField(min_value=0)
    before = serializers.IntegerField(min_value=0, help_text="its place in the shop's own order")
    why = serializers.ListField(child=serializers.CharField())


class RerankAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """The listing in the visitor's order."""

    id = serializers.CharField(help_text="of the listing, for events")
    took_ms = serializers.FloatField()
    ranked = serializers.BooleanField(help_text="false: the shop's own order was kept")
    count = serializers.IntegerField(help_text="products given")
    results = RankedAnswer(many=True)


class RecommendationsRequest(serializers.Serializer):  # type: ignore[type-arg]
    """Query parameters of ``recommendations/``."""

    placement = serializers.CharField(max_length=40, help_text=", ".join(f"`{one}`" for one in PLACEMENTS))
    product = EventProductField(
        required=False, help_text="whose page it is; `similar`, `alternatives` and `together` need it"
    )
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_RESULTS, default=DEFAULT_STRIP
    )


class RecommendedAnswer(ProductAnswer):
    """A product of a strip; price, stock and address are what the shop's database said while answering."""

    why = serializers.ListField(child=serializers.CharField())


class RecommendationsAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A strip of products; empty where there is nothing to show."""

    id = serializers.CharField(help_text="of the listing, for events")
    took_ms = serializers.FloatField()
    placement = serializers.CharField()
    title = serializers.CharField(allow_blank=True, help_text="in the visitor's language")
    product = serializers.CharField(allow_null=True, help_text="what it is about")
    count = serializers.IntegerField()
    results = RecommendedAnswer(many=True)
