"""Serializers of jobs, predictions, decisions and duplicates."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from .. import jobs
from ..catalogue.adapter import catalogues
from ..classification.classifier_evaluation import ERRORS
from ..classification.models import Prediction
from ..jobs import Job
from ..types import ProductRef
from .serializers import (
    DEFAULT_RESULTS,
    MOST_REF,
    MOST_RESULTS,
    MomentField,
    OneOfField,
    PhotoField,
    ProductField,
    no_such,
)

MOST_PRODUCTS = 1000  # named in one request; more are taken by ``all``
ANY = {"type": "object", "additionalProperties": {}}


class StrictBoolean(serializers.BooleanField):
    """True or false, not "yes"."""

    def to_internal_value(self, data: Any) -> bool:
        """The value."""
        if data in ("true", "false") or isinstance(data, bool):
            return data in (True, "true")
        raise serializers.ValidationError("it takes true or false")


class Chosen(serializers.Serializer):  # type: ignore[type-arg]
    """Products of one catalogue and what to do with them."""

    products = serializers.ListField(
        child=ProductField(), required=False, min_length=1, max_length=MOST_PRODUCTS
    )
    source = serializers.CharField(required=False, max_length=100, help_text="app.model")  # type: ignore[assignment]
    all = StrictBoolean(required=False, default=False, help_text="every product of `source`")
    target = serializers.CharField(required=False, max_length=64, default="category")
    acceptable_error = OneOfField(
        [str(one) for one in ERRORS],
        required=False,
        allow_null=True,
        default=None,
        help_text="apply what is surer; suggestions only if absent",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One catalogue, and one of its targets."""
        products: list[ProductRef] = attrs.get("products") or []
        sources = {one.source for one in products} | ({attrs["source"]} if "source" in attrs else set())
        if len(sources) > 1:
            raise serializers.ValidationError({"products": "they are of several catalogues; send one a time"})
        if products and attrs["all"]:
            raise serializers.ValidationError({"all": "give either products or all"})
        source = sources.pop() if sources else ""
        if source and source not in catalogues():
            raise serializers.ValidationError({"source": no_such(source, catalogues())})
        if source and attrs["target"] not in catalogues()[source].targets():
            there = catalogues()[source].targets()
            raise serializers.ValidationError({"target": no_such(attrs["target"], there)})
        return {**attrs, "source": source}

    def params(self) -> dict[str, Any]:
        """What the classify job takes."""
        given = self.validated_data
        if not given.get("products") and not (given["all"] and given["source"]):
            raise serializers.ValidationError("name products, or a source and all")
        error = given["acceptable_error"]
        params: dict[str, Any] = {
            "source": given["source"],
            "target": given["target"],
            "acceptable_error": float(error) if error else None,
        }
        if given.get("products"):
            params["refs"] = list(dict.fromkeys(one.object_id for one in given["products"]))
        return params


class ClassifyRequest(Chosen):
    """A photo to classify at once, or products for a job."""

    image = PhotoField(required=False)
    target = serializers.CharField(required=False, max_length=64)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A photo or products, not both."""
        if "image" in attrs and (attrs.get("products") or attrs["all"]):
            raise serializers.ValidationError("give either an image or products")
        if "image" in attrs and attrs["acceptable_error"] is not None:
            raise serializers.ValidationError(
                {"acceptable_error": "nothing is applied to a photo; it is of products"}
            )
        if "image" in attrs:
            return attrs
        return super().validate({"target": "category", **attrs})


def _field(param: jobs.Param) -> serializers.Field[Any, Any, Any, Any]:
    """The field that checks a registered parameter."""
    needed = param.required
    if param.choices is not None:
        return OneOfField(list(param.choices()), required=needed)
    if param.type is int:
        return serializers.IntegerField(min_value=param.least, max_value=param.most, required=needed)
    if param.type is float:
        return serializers.FloatField(min_value=param.least, max_value=param.most, required=needed)
    if param.type is bool:
        return StrictBoolean(required=needed)
    if param.type is uuid.UUID:
        return serializers.UUIDField(required=needed)
    return serializers.CharField(required=needed)


def job_params(kind: str, given: Any) -> dict[str, Any]:
    """A job's parameters, checked; JSON.

    Raises:
        ValidationError: what is wrong, field by field.
    """
    if kind == "classify":  # its products are named in the API's own way
        chosen = Chosen(data=given)
        chosen.is_valid(raise_exception=True)
        return chosen.params()
    known = jobs.kind_of(kind).params
    if unknown := sorted(set(given) - set(known)):
        there = f"it takes {', '.join(known)}" if known else f"{kind} takes no params"
        raise serializers.ValidationError(dict.fromkeys(unknown, there))
    fields = {name: _field(param) for name, param in known.items()}
    asked = type("Params", (serializers.Serializer,), fields)(data=given)
    asked.is_valid(raise_exception=True)
    return {
        name: str(value) if isinstance(value, uuid.UUID) else value
        for name, value in asked.validated_data.items()
    }


@extend_schema_field(ANY)
class ParamsField(serializers.DictField):
    """A job's parameters; each kind checks its own."""


class KindField(OneOfField):
    """The kind of a job: one of those registered by now."""

    def __init__(self, **options: Any) -> None:
        super().__init__(list(jobs.KINDS), **options)


class JobRequest(serializers.Serializer):  # type: ignore[type-arg]
    """A job to start."""

    kind = KindField()
    params = ParamsField(required=False, default=dict)


class Paged(serializers.Serializer):  # type: ignore[type-arg]
    """Query parameters of every list."""

    cursor = serializers.CharField(
        required=False, max_length=300, help_text="from `next`; the filters must stay the same"
    )
    limit = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_RESULTS, default=DEFAULT_RESULTS
    )


class JobsRequest(Paged):
    """Query parameters of ``jobs/``."""

    kind = KindField(required=False)
    state = OneOfField(Job.State.values, required=False)


class PredictionsRequest(Paged):
    """Query parameters of ``predictions/``."""

    source = serializers.CharField(required=False, max_length=100)  # type: ignore[assignment]
    target = serializers.CharField(required=False, max_length=64)
    state = OneOfField(Prediction.State.values, required=False)
    label = serializers.CharField(required=False, max_length=500)  # type: ignore[assignment]
    min_probability = serializers.FloatField(required=False, min_value=0, max_value=1)


class CorrectRequest(serializers.Serializer):  # type: ignore[type-arg]
    """What the product is rather."""

    label = serializers.CharField(max_length=500, help_text="the label's id")  # type: ignore[assignment]


class LabelAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A label with its calibrated probability."""

    label = serializers.CharField()  # type: ignore[assignment]
    name = serializers.CharField(allow_blank=True)
    probability = serializers.FloatField(min_value=0, max_value=1)


class PhotoPredictionAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """What one classifier says of a photo."""

    source = serializers.CharField()  # type: ignore[assignment]
    target = serializers.CharField()
    release = serializers.CharField()
    known = serializers.FloatField(
        min_value=0, max_value=1, help_text="probability that it is any of the labels"
    )
    abstained = serializers.BooleanField(help_text="too unsure to be used without a person")
    top = LabelAnswer(many=True)


class PhotoAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """One entry for every classifier asked."""

    predictions = PhotoPredictionAnswer(many=True)


@extend_schema_field(ANY)
class AnyAnswer(serializers.Field):  # type: ignore[type-arg]
    """Figures whose names depend on the job."""


class JobErrorAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """What went wrong with one item."""

    item = serializers.CharField()
    message = serializers.CharField()


class JobAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A job and how far it is."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    state = OneOfField(Job.State.values)
    params = AnyAnswer()
    total = serializers.IntegerField(help_text="0 while it is not known")
    done = serializers.IntegerField()
    failed = serializers.IntegerField()
    message = serializers.CharField(allow_blank=True)
    estimate = AnyAnswer()
    result = AnyAnswer()
    created_at = MomentField()
    started_at = MomentField(allow_null=True)
    finished_at = MomentField(allow_null=True)


class JobDetailAnswer(JobAnswer):
    """A job with the first of its errors."""

    errors = JobErrorAnswer(many=True)  # type: ignore[assignment]


class JobsAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A page of jobs, newest first."""

    next = serializers.CharField(allow_null=True)
    results = JobAnswer(many=True)


class PredictionAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A suggestion and what became of it."""

    id = serializers.IntegerField()
    product = serializers.CharField(help_text="app.model:key")
    title = serializers.CharField(allow_blank=True)
    target = serializers.CharField()
    label = serializers.CharField(help_text="what was suggested")  # type: ignore[assignment]
    name = serializers.CharField(allow_blank=True)
    probability = serializers.FloatField(min_value=0, max_value=1)
    known = serializers.FloatField(min_value=0, max_value=1)
    top = LabelAnswer(many=True)
    current = serializers.CharField(
        allow_blank=True, help_text="the shop's label when this was last written or decided"
    )
    state = OneOfField(Prediction.State.values)
    value = serializers.FloatField(help_text="views x uncertainty")
    release = serializers.CharField(allow_null=True)
    job = serializers.UUIDField(allow_null=True)


class DecisionAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """What a person said."""

    verb = serializers.ChoiceField(["accept", "reject", "correct"])
    label = serializers.CharField(help_text="what it is; with reject, what it is not")  # type: ignore[assignment]
    name = serializers.CharField(allow_blank=True)


class DecidedAnswer(PredictionAnswer):
    """A suggestion as it stands after a person's decision."""

    decision = DecisionAnswer()


class PredictionsAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """A page of suggestions, most worth looking at first."""

    next = serializers.CharField(allow_null=True)
    results = PredictionAnswer(many=True)


class DuplicateAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """Two products that share a photo, or nearly."""

    first = serializers.CharField()
    second = serializers.CharField()
    reason = OneOfField(["same file", "same picture", "same look"])
    similarity = serializers.FloatField(min_value=-1, max_value=1.001)
    images = serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2)


class DuplicatesAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """Pairs that the latest duplicates job found."""

    job = serializers.UUIDField(allow_null=True, help_text="null: none has run; start one with `jobs/`")
    as_of = MomentField(allow_null=True)
    count = serializers.IntegerField(help_text="pairs found; the surest are kept")
    next = serializers.CharField(allow_null=True)
    results = DuplicateAnswer(many=True)


_CHOSEN: dict[str, Any] = {
    "source": {"type": "string", "maxLength": 100, "description": "app.model"},
    "target": {"type": "string", "maxLength": 64, "description": "category, or an attribute of the adapter"},
}
_PRODUCTS: dict[str, Any] = {
    "products": {
        "type": "array",
        "items": {"type": "string", "maxLength": MOST_REF},
        "minItems": 1,
        "maxItems": MOST_PRODUCTS,
    },
    "all": {"type": "boolean", "default": False},
    "acceptable_error": {
        "type": "string",
        "nullable": True,
        "enum": [*(str(one) for one in ERRORS), None],
        "description": "apply what is surer than this share of errors allows; suggestions only if absent",
    },
}
CLASSIFY_BODY: dict[str, Any] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["image"],
        "properties": {"image": {"type": "string", "format": "binary"}, **_CHOSEN},
    },
    "application/json": {
        "type": "object",
        "properties": {
            "image": {"type": "string", "format": "byte", "description": "a JPEG, PNG, WebP or AVIF file"},
            **_CHOSEN,
            **_PRODUCTS,
        },
    },
}
