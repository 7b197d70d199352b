"""List near-duplicate products found by the latest job."""

from __future__ import annotations

from typing import Any

from django.core.signing import BadSignature, Signer
from django.urls import reverse
from django.utils.http import urlencode
from rest_framework.request import Request
from rest_framework.response import Response

from ...exceptions import InvalidRequest
from ...jobs import Job
from ..permissions import CHANGE_JOB, VIEW_ENTRY, VIEW_JOB
from ..schema import described, errors
from ..serializers_jobs import DuplicatesAnswer, Paged
from .base import WorkView, checked


class DuplicatesView(WorkView):
    """Comparing every photo takes a job; this shows its result."""

    needs = {"GET": (VIEW_ENTRY, VIEW_JOB, CHANGE_JOB)}

    @described(
        operation_id="duplicates",
        staff=True,
        parameters=[Paged],
        responses={200: DuplicatesAnswer, **errors(400, 401, 403, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        """Pairs, surest first; start a new search with `jobs/` and kind `duplicates`."""
        given = checked(Paged, request.query_params.dict()).validated_data
        job = Job.objects.filter(kind="duplicates", state=Job.State.DONE).order_by("-finished_at").first()
        if job is None:
            return Response({"job": None, "as_of": None, "count": 0, "next": None, "results": []})
        pairs: list[Any] = job.result.get("found") or []
        signer = Signer(salt=f"shopvision.duplicates.{job.pk}")
        start, limit = _start(signer, given.get("cursor")), given["limit"]
        link = None
        if start + limit < len(pairs):
            query = {"limit": limit, "cursor": signer.sign(str(start + limit))}
            link = f"{reverse('shopvision:duplicates')}?{urlencode(query)}"
        return Response(
            {
                "job": job.pk,
                "as_of": job.finished_at,
                "count": job.result.get("pairs", 0),
                "next": link,
                "results": pairs[start : start + limit],
            }
        )


def _start(signer: Signer, cursor: str | None) -> int:
    try:
        return int(signer.unsign(cursor)) if cursor else 0
    except (BadSignature, ValueError) as error:
        raise InvalidRequest("duplicates_cursor_outdated", code="invalid_cursor") from error
