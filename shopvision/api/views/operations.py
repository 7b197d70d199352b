"""Health for probes; status and metrics for who may see the overview; the schema."""

from __future__ import annotations

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework.request import Request
from rest_framework.response import Response

from ... import metrics
from ...classification import classifier_releases as classification
from ...exceptions import TemporaryFailure
from ...messages import Message
from ...search import status
from ..health import gauges
from ..permissions import VIEW_OVERVIEW
from ..schema import described, errors, openapi
from ..serializers import HealthAnswer
from .base import ProbeView, PublicView, WorkView

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class LiveView(ProbeView):
    """The process answers."""

    @described(operation_id="health_live", responses={200: HealthAnswer})
    def get(self, request: Request) -> Response:
        """Always 200; touches neither database nor index."""
        return Response({"status": "live"})


class ReadyView(ProbeView):
    """The process can answer searches."""

    @described(operation_id="health_ready", responses={200: HealthAnswer, **errors(503)})
    def get(self, request: Request) -> Response:
        """200 once a release is live and its index can be queried; until then 503 `warming`."""
        serving = status.serving()
        if not serving["ok"]:
            why = serving["detail"] or Message("nothing_indexed_yet")
            raise TemporaryFailure("not_ready", code="warming", retry_after_seconds=5, why=why)
        return Response({"status": "ready"})


class StatusView(WorkView):
    """The admin's overview."""

    needs = {"GET": (VIEW_OVERVIEW,)}

    @described(
        operation_id="status", staff=True, responses={200: OpenApiTypes.OBJECT, **errors(401, 403, 429, 503)}
    )
    def get(self, request: Request) -> Response:
        """Counts, drift, freshness, latency, demand, classification, and what serves."""
        return Response({**status.overview(), "classification": classification.overview()})


class MetricsView(WorkView):
    """For a scraper."""

    needs = {"GET": (VIEW_OVERVIEW,)}

    @described(
        operation_id="metrics",
        staff=True,
        responses={
            (200, "text/plain"): OpenApiResponse(OpenApiTypes.STR, "Prometheus text, version 0.0.4"),
            **errors(401, 403, 429, 503),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """This process's counters and timers, and the shop's counts."""
        return HttpResponse(metrics.prometheus() + gauges(), content_type=PROMETHEUS)


class SchemaView(PublicView):
    """This API, described."""

    @described(operation_id="schema", responses={200: OpenApiTypes.OBJECT, **errors(429)})
    def get(self, request: Request) -> Response:
        """OpenAPI 3.0."""
        return Response(openapi())
