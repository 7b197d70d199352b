"""The review queue: list, accept, reject and correct predictions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from ...classification import review
from ...classification.models import Decision, Prediction
from ...exceptions import InvalidRequest
from ..cursors import page
from ..permissions import REVIEW, VIEW_PREDICTION
from ..schema import described, errors
from ..serializers_jobs import CorrectRequest, DecidedAnswer, PredictionsAnswer, PredictionsRequest
from .base import WorkView, checked

MOST_ID = 10**18 - 1
KEY = re.compile(r"[0-9]{1,18}")
ID = OpenApiParameter(
    "id",
    {"type": "integer", "minimum": 1, "maximum": MOST_ID},
    OpenApiParameter.PATH,
    description="a prediction's",
)
FILTERS = {
    "source": "entry__source",
    "target": "target",
    "state": "state",
    "label": "label",
    "min_probability": "probability__gte",
}
ANSWERS = {200: DecidedAnswer, **errors(400, 401, 403, 404, 409, 413, 415, 429, 503)}


class PredictionsView(WorkView):
    """All predictions."""

    needs = {"GET": (REVIEW, VIEW_PREDICTION)}

    @described(
        operation_id="predictions",
        staff=True,
        parameters=[PredictionsRequest],
        responses={200: PredictionsAnswer, **errors(400, 401, 403, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        """Predictions, most worth looking at first."""
        given = checked(PredictionsRequest, request.query_params.dict()).validated_data
        rows = Prediction.objects.select_related("entry", "release")
        rows = rows.filter(**{lookup: given[name] for name, lookup in FILTERS.items() if name in given})
        return Response(page(rows, ("value", "id"), given, plain, reverse("shopvision:predictions")))


class VerbView(WorkView):
    """A person's word; 409 ``decided`` if somebody else was faster."""

    needs = {"POST": (REVIEW,)}

    def decide(self, id: str, verb: Callable[[Prediction], Decision]) -> Response:
        """The prediction after it, and what was decided."""
        made = verb(find(id))
        decision = {"verb": made.verb, "label": made.label, "name": made.name}
        return Response({**plain(find(id)), "decision": decision})


class AcceptView(VerbView):
    """It is right."""

    @described(operation_id="prediction_accept", staff=True, request=None, parameters=[ID], responses=ANSWERS)
    def post(self, request: Request, id: str) -> Response:
        """Accept the suggestion: the product gets the label, and nothing overwrites it."""
        return self.decide(id, lambda row: review.accept(row, request.user))


class RejectView(VerbView):
    """It is wrong."""

    @described(operation_id="prediction_reject", staff=True, request=None, parameters=[ID], responses=ANSWERS)
    def post(self, request: Request, id: str) -> Response:
        """Reject the suggestion: the product keeps what it has."""
        return self.decide(id, lambda row: review.reject(row, request.user))


class CorrectView(VerbView):
    """It is something else."""

    @described(
        operation_id="prediction_correct",
        staff=True,
        request=CorrectRequest,
        parameters=[ID],
        responses=ANSWERS,
    )
    def post(self, request: Request, id: str) -> Response:
        """Give the product another of the shop's labels."""
        label = checked(CorrectRequest, request.data).validated_data["label"]
        return self.decide(id, lambda row: review.correct(row, request.user, label))


def find(id: str) -> Prediction:
    """The prediction with its product.

    Raises:
        InvalidRequest: ``not_found``.
    """
    row = None
    if KEY.fullmatch(id):
        row = Prediction.objects.select_related("entry", "release").filter(pk=int(id)).first()
    if row is None:
        raise InvalidRequest("prediction_not_found", code="not_found", id=id)
    return row


def plain(row: Prediction) -> dict[str, Any]:
    """A prediction as JSON."""
    taken = ("id", "target", "label", "name", "probability", "known", "top", "current", "state", "value")
    return {
        **{name: getattr(row, name) for name in taken},
        "product": str(row.entry.ref),
        "title": row.entry.title,
        "release": str(row.release) if row.release else None,
        "job": row.job_id,
    }
