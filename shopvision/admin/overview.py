"""Admin overview page: index coverage, freshness, latency and demand."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import jobs
from ..catalogue.models import Overview
from ..classification import classifier_releases as classification
from ..messages import translated
from ..ranking import ranker_releases as releases
from ..ranking import serving
from ..search import status
from ..search.models import Demand
from . import plots
from .read_only import ReadOnlyAdmin
from .verbose_names import WordsFilter, column, word


@admin.register(Demand)
class DemandAdmin(ReadOnlyAdmin):
    """By day, nearest category and main colour; no photo is kept."""

    list_display = ("day", "category", "called", "text", "count")
    list_display_links = None  # a row says all there is
    list_filter = ("day", "category", ("colour", WordsFilter))
    date_hierarchy = "day"
    ordering = ("-day", "-count")
    called = column("colour", gettext_lazy("colour"))


@admin.register(Overview)
class OverviewAdmin(ReadOnlyAdmin):
    """One page of numbers and small plots; ``?fresh=1`` has a worker count the drift anew."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page itself, in place of a list of rows."""
        if not self.has_view_permission(request):
            return self.admin_site.login(request)
        if request.GET.get("fresh") == "1" and request.user.has_perm("shopvision.change_job"):
            jobs.start("reconcile", {}, request.user)
            messages.info(request, _("The drift is being counted; reload this page in a moment."))
        numbers = _worded(status.overview())
        context = {
            "title": _("Overview"),
            "numbers": numbers,
            "classification": classification.overview(),
            "ranking": {
                "live": releases.live(),
                "knowledge": releases.newest_knowledge(),
                "problem": translated(serving.kept().problem),
                "experiment": serving.kept().experiment,
            },
            "latency_plot": plots.line(
                numbers["latency"]["series"], _("milliseconds of the latest photo searches")
            ),
            "demand_plot": plots.bars(numbers["demand"]["series"], _("searches without a match, by day")),
            **(extra_context or {}),
        }
        return self.rendered(request, "overview.html", context)


def _worded(numbers: dict[str, Any]) -> dict[str, Any]:
    """The numbers, with what is words among them in the reader's language."""
    top = [{**row, "colour": word(row["colour"])} for row in numbers["demand"]["top"]]
    index = {**numbers["serving"], "detail": translated(numbers["serving"]["detail"])}
    return {**numbers, "demand": {**numbers["demand"], "top": top}, "serving": index}
