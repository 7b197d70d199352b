"""Serializers of search requests and answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from .. import conf, timestamps
from ..catalogue.adapter import catalogues
from ..types import Filter, ProductRef, Region
from .uploads import photo_bytes

MOST_RESULTS = 100  # of one page
DEFAULT_RESULTS = 24
MOST_CATEGORIES = 50
MOST_FILTERS = 50
MOST_REF = 360  # characters: a source label and a key as CatalogueEntry keeps them
MOST_SHOWN = 100  # characters of a wrong value in an error
LEAST_CROP = 0.01  # of each side of the photo
NOTHING_CHOSEN = "nothing is chosen; leave it out to narrow nothing"
BOX = {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}, "minItems": 4, "maxItems": 4}


def no_such(given: Any, choices: Iterable[Any]) -> str:
    """What to say of a value that is none of a few."""
    return f"{str(given)[:MOST_SHOWN]!r} is none of them: it takes {', '.join(map(str, choices)) or 'nothing yet'}"


class OneOfField(serializers.ChoiceField):
    """One of a few values; the error lists them."""

    def to_internal_value(self, data: Any) -> Any:
        """The value."""
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as error:
            raise serializers.ValidationError(no_such(data, self.choices)) from error


class MomentField(serializers.DateTimeField):
    """A time; the API tells it with its offset whether the shop keeps offsets or not."""

    def enforce_timezone(self, value: datetime) -> datetime:
        """As the settings keep times; DRF would take UTC for the local time where they keep no offsets."""
        if settings.USE_TZ:
            return super().enforce_timezone(value)
        try:
            return timestamps.as_kept(value)
        except OverflowError:
            self.fail("overflow")

    def to_representation(self, value: datetime) -> Any:
        """ISO 8601."""
        return (
            super().to_representation(value) if settings.USE_TZ else timestamps.with_offset(value).isoformat()
        )


class PhotoField(serializers.Field):  # type: ignore[type-arg]
    """A file, or base64 text; its bytes, not yet looked at."""

    def to_internal_value(self, data: Any) -> bytes:
        """The bytes."""
        try:
            return photo_bytes(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class ProductField(serializers.Field):  # type: ignore[type-arg]
    """``app.model:key``."""

    text = serializers.CharField(max_length=MOST_REF, trim_whitespace=False)  # a key may end in a space

    def to_internal_value(self, data: Any) -> ProductRef:
        """The product it names; whether there is one is not asked here."""
        try:
            return ProductRef.parse(self.text.run_validation(data))
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class BoxField(serializers.Field):  # type: ignore[type-arg]
    """``x0,y0,x1,y1`` as text, or a list of four numbers."""

    def to_internal_value(self, data: Any) -> Region:
        """The region."""
        parts = data.split(",") if isinstance(data, str) else data
        if not isinstance(parts, list) or len(parts) != 4 or any(isinstance(part, bool) for part in parts):
            raise serializers.ValidationError("it takes four numbers: x0,y0,x1,y1")
        try:
            corners = [float(part) for part in parts]
        except (TypeError, ValueError, OverflowError) as error:
            raise serializers.ValidationError("it takes four numbers: x0,y0,x1,y1") from error
        try:
            box = Region(*corners)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error
        if min(box.x1 - box.x0, box.y1 - box.y0) < LEAST_CROP:
            raise serializers.ValidationError(
                f"{','.join(map(str, corners))} is too small: it takes {LEAST_CROP:.0%} of each side of the photo"
            )
        return box


class CategoriesField(serializers.ListField):
    """Category ids; a single one may come without a list."""

    child = serializers.CharField(max_length=255)
    default_error_messages = {"empty": NOTHING_CHOSEN, "null": NOTHING_CHOSEN}

    def to_internal_value(self, data: Any) -> list[str]:
        """The ids."""
        return super().to_internal_value([data] if isinstance(data, str) else data)


class FiltersField(serializers.ListField):
    """``name=value`` texts, or (JSON) an object of names and values; any value of a name passes, all names must.

    Nothing at all (``[]``, ``{}``, null) is refused as any wrong value is: whether it means every product or none
    is not guessed.
    """

    child = serializers.CharField(max_length=MOST_REF)
    default_error_messages = {
        "empty": NOTHING_CHOSEN,
        "null": NOTHING_CHOSEN,
        "not_a_list": "it takes name=value texts, or (JSON) an object of names with their values",
    }

    def to_internal_value(self, data: Any) -> list[tuple[str, frozenset[str]]]:
        """Names with their values; a name that no catalogue has is an error, not an empty answer."""
        if isinstance(data, dict):
            data = [f"{name}={value}" for name, held in data.items() for value in _values(name, held)]
        wanted: dict[str, set[str]] = {}
        for text in super().to_internal_value([data] if isinstance(data, str) else data):
            name, _, value = text.partition("=")
            wanted.setdefault(name, set()).add(value)
        known = {name for shop in catalogues().values() for name in shop.filter_names()}
        for name in wanted:
            if name not in known or "" in wanted[name]:
                there = ", ".join(sorted(known)) or "the adapters name none"
                raise serializers.ValidationError(f"{name!r} is no filter: it takes name=value with {there}")
        return sorted((name, frozenset(values)) for name, values in wanted.items())


def _values(name: str, held: Any) -> list[str | int | float]:
    """The values of one filter in JSON.

    Raises:
        ValidationError: there are none, or one is no text or number.
    """
    values = held if isinstance(held, list) else [held]
    if not values or not all(isinstance(one, (str, int, float)) for one in values):
        raise serializers.ValidationError({name[:MOST_SHOWN]: "it takes a value, or a list of values"})
    return values


class Narrowed(serializers.Serializer):  # type: ignore[type-arg]
    """What narrows any listing, and its length."""

    category = CategoriesField(
        required=False,
        allow_empty=False,
        max_length=MOST_CATEGORIES,
        help_text="any of these category ids",
    )
    filters = FiltersField(
        required=False,
        allow_empty=False,
        max_length=MOST_FILTERS,
        help_text="name=value of the shop's own filters; any value of a name, and every name",
    )
    price_min = serializers.DecimalField(14, 2, required=False, min_value=0, help_text="inclusive")
    price_max = serializers.DecimalField(14, 2, required=False, min_value=0, help_text="inclusive")
    in_stock = serializers.BooleanField(required=False, allow_null=True, default=None)
    limit = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_RESULTS,
        default=DEFAULT_RESULTS,
        help_text="results a page",
    )
    text = serializers.CharField(
        required=False, allow_blank=True, max_length=200, default="", help_text="words that must occur"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Check what concerns several fields."""
        low, high = attrs.get("price_min"), attrs.get("price_max")
        if low is not None and high is not None and low > high:
            raise serializers.ValidationError({"price_min": "it is above price_max"})
        attrs["limit"] = min(attrs["limit"], conf.SEARCH_MAX_RESULTS)
        return attrs

    def where(self) -> Filter:
        """The filter asked for."""
        given = self.validated_data
        return Filter(
            categories=frozenset(given["category"]) if given.get("category") else None,
            price_min=given.get("price_min"),
            price_max=given.get("price_max"),
            in_stock=given["in_stock"],
            values=tuple(given.get("filters", ())),
        )


class SearchRequest(Narrowed):
    """A photo or a product to search by."""

    image = PhotoField(required=False)
    product = ProductField(required=False)
    crop = BoxField(required=False, help_text="x0,y0,x1,y1 in [0, 1] on the upright photo")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A search has one subject."""
        if ("image" in attrs) == ("product" in attrs):
            raise serializers.ValidationError("give either an image or a product")
        if "crop" in attrs and "product" in attrs:
            raise serializers.ValidationError(
                {"crop": "it is part of an image; a product is searched by as it is"}
            )
        return super().validate(attrs)


class SimilarRequest(Narrowed):
    """Query parameters of ``products/{ref}/similar/``."""

    alternatives = serializers.BooleanField(
        required=False, default=False, help_text="in stock only, without the product's own variants"
    )


class PageRequest(serializers.Serializer):  # type: ignore[type-arg]
    """Query parameters of ``searches/{id}/``."""

    cursor = serializers.CharField(required=False, max_length=200, help_text="from `next` or `previous`")


@extend_schema_field(BOX)
class BoxAnswer(serializers.Field):  # type: ignore[type-arg]
    """Four numbers in [0, 1]."""


class RegionAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A part of the photo that shows something."""

    box = BoxAnswer(help_text="x0, y0, x1, y1 on the upright photo")
    label = serializers.CharField(required=False, help_text="what it shows")  # type: ignore[assignment]
    probability = serializers.FloatField(required=False, min_value=0, max_value=1)


class CategoryAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """What the photo shows, by the categories of what it looks like."""

    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    probability = serializers.FloatField(min_value=0, max_value=1)
    source = serializers.CharField(help_text="`predicted`")  # type: ignore[assignment]


class QueryAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """What was understood of the question."""

    regions = RegionAnswer(many=True)
    category = CategoryAnswer(allow_null=True)
    stored = serializers.BooleanField(help_text="whether the photo was kept; it is not, without consent")


class MatchAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """Whether the shop sells it."""

    level = serializers.ChoiceField(["strong", "weak", "none"])
    probability = serializers.FloatField(min_value=0, max_value=1)


class ProductAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A product; price, stock and address are what the shop's database said while answering."""

    product = serializers.CharField(help_text="app.model:key")
    url = serializers.CharField(allow_blank=True)
    title = serializers.CharField(allow_blank=True)
    image = serializers.CharField(allow_null=True)
    price = serializers.CharField(allow_null=True)
    in_stock = serializers.BooleanField()


class ResultAnswer(ProductAnswer):
    """A product found; price, stock and address are what the shop's database said while answering."""

    similarity = serializers.FloatField(help_text="cosine, higher is closer")
    percentile = serializers.FloatField(
        min_value=0,
        max_value=100,
        allow_null=True,
        help_text="share of unrelated product pairs of this shop that are less alike; null with under 5 products",
    )
    why = serializers.ListField(child=serializers.CharField())
    region = BoxAnswer(allow_null=True, help_text="where on the product's photo the match lies")


class FacetAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A category, or a value of a filter, with the number of results that have it."""

    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField()


class IndexAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """What was searched."""

    as_of = serializers.CharField(required=False, allow_null=True, help_text="time of the last change in it")
    size = serializers.IntegerField(required=False, help_text="photos")


class ListingAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """One page of products."""

    id = serializers.CharField(help_text="signed; asks for further pages")
    took_ms = serializers.FloatField()
    encoder = serializers.CharField(allow_blank=True)
    index = IndexAnswer()
    query = QueryAnswer()
    match = MatchAnswer(allow_null=True)
    count = serializers.IntegerField(help_text="products on all pages")
    next = serializers.CharField(allow_null=True, help_text="path of the next page")
    previous = serializers.CharField(allow_null=True)
    results = ResultAnswer(many=True)
    facets = serializers.DictField(
        child=FacetAnswer(many=True), help_text="how the results divide: by `category` and by each filter"
    )


class ErrorAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """What went wrong."""

    detail = serializers.CharField(help_text="what, the value, the limit, what to do")
    code = serializers.CharField(help_text="stable")


class HealthAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """For a probe."""

    status = serializers.CharField()
