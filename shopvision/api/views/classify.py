"""Classify a photo immediately, or products in a job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from ...catalogue.adapter import catalogues
from ...classification import classifier_releases, predict
from ...exceptions import InvalidRequest
from ..permissions import CLASSIFY
from ..schema import described, errors
from ..serializers_jobs import CLASSIFY_BODY, ClassifyRequest, JobDetailAnswer, PhotoAnswer
from ..throttles import SearchThrottle, search_slot
from .base import WorkView, checked
from .jobs import accepted, started


class ClassifyView(WorkView):
    """What a photo, or what products are."""

    needs = {"POST": (CLASSIFY,)}
    throttle_classes = (SearchThrottle,)

    @described(
        operation_id="classify",
        staff=True,
        request=CLASSIFY_BODY,
        responses={
            200: PhotoAnswer,
            202: JobDetailAnswer,
            **errors(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
        },
    )
    def post(self, request: Request) -> Response:
        """A photo: what every live classifier says of it, now; the photo is dropped. Products: a job."""
        asked = checked(ClassifyRequest, request.data)
        given = asked.validated_data
        if "image" not in given:
            return accepted(started(request, "classify", asked.params()))
        with search_slot():
            found = [_answer(given["image"], *which) for which in _asked(given)]
        return Response({"predictions": found}, headers={"Cache-Control": "no-store"})


def _asked(given: dict[str, Any]) -> list[tuple[str, str]]:
    """Catalogues and targets with a live classifier, as far as the request narrows them.

    Raises:
        InvalidRequest: ``no_classifier``: none is live, or ``unknown_target``: there can be none.
    """
    wanted = list(_targets(given.get("source"), given.get("target")))
    if not wanted:
        raise InvalidRequest("unknown_catalogue_or_target", code="unknown_target")
    live = [(source, target) for source, target in wanted if classifier_releases.live(source, target)]
    if not live:
        raise InvalidRequest("no_live_classifier", code="no_classifier")
    return live


def _targets(source: str | None, target: str | None) -> Iterator[tuple[str, str]]:
    for name, adapter in catalogues().items():
        if source in (None, "", name):
            yield from ((name, one) for one in adapter.targets() if target in (None, "", one))


def _answer(data: bytes, source: str, target: str) -> dict[str, Any]:
    said = predict.predict_photo(data, source, target)
    return {
        "source": source,
        "target": target,
        "release": str(said.release),
        "known": round(said.known, 4),
        "abstained": said.abstained,
        "top": [
            {"label": one.label, "name": one.name, "probability": round(one.probability, 4)}
            for one in said.top
        ],
    }
