"""Overview: is everything searchable, is it fresh, is it fast, what do shoppers miss."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ..catalogue.models import Overview
from ..classification import status as classification
from ..search import status
from . import plots
from .readonly import ReadOnlyAdmin


@admin.register(Overview)
class OverviewAdmin(ReadOnlyAdmin):
    """One page of numbers and small plots; ``?fresh=1`` counts the drift anew."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page itself, in place of a list of rows."""
        if not self.has_view_permission(request):
            return self.admin_site.login(request)
        numbers = status.overview(fresh=request.GET.get("fresh") == "1")
        context = {
            **self.admin_site.each_context(request),
            "title": "Overview",
            "opts": self.opts,
            "numbers": numbers,
            "classification": classification.overview(),
            "latency_plot": plots.line(
                numbers["latency"]["series"], "milliseconds of the latest photo searches"
            ),
            "demand_plot": plots.bars(numbers["demand"]["series"], "searches without a match, by day"),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/shopvision/overview.html", context)
