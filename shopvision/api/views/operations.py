"""Health probes, status, metrics and the OpenAPI schema."""

from __future__ import annotations

from collections.abc import Iterator

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from rest_framework.request import Request
from rest_framework.response import Response

from ... import metrics
from ...classification import classifier_releases as classification
from ...exceptions import TemporaryFailure
from ...messages import Message
from ...search import status
from ..permissions import VIEW_OVERVIEW
from ..schema import described, errors, openapi
from ..serializers import HealthAnswer
from .base import ProbeView, PublicView, WorkView


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
        """Counters and timers of this process, or of all (multiprocess mode), and the shop's counts."""
        return HttpResponse(metrics.exposition([ShopCollector()]), content_type=metrics.CONTENT_TYPE)


class ShopCollector(Collector):
    """Numbers of the whole shop: products, photos, waiting changes and their age, and whether searches answer."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Asked of the database for each scrape."""
        counts, serving = status.counts(), status.serving()
        for what in ("products", "photos"):
            states = GaugeMetricFamily(f"shopvision_{what}", f"{what} by state", labels=["state"])
            for state, number in counts[what].items():
                states.add_metric([state], number)
            yield states
        single = {
            "changes_waiting": counts["waiting"],
            "changes_set_aside": counts["set_aside"],
            "oldest_change_seconds": counts["oldest_waiting_seconds"],
            "ready": int(serving["ok"]),
            "index_photos": serving.get("count", 0),
            "drift": status.drift_known()["total"],
        }
        for name, value in single.items():
            if value is not None:
                yield GaugeMetricFamily(f"shopvision_{name}", name.replace("_", " "), value=value)

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering asks the database nothing."""
        return iter(())


class SchemaView(PublicView):
    """This API, described."""

    @described(operation_id="schema", responses={200: OpenApiTypes.OBJECT, **errors(429)})
    def get(self, request: Request) -> Response:
        """OpenAPI 3.0."""
        return Response(openapi())
