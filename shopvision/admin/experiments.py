"""Admin of ranking experiments: results per arm with anytime-valid intervals; start and stop."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..exceptions import InvalidRequest, ShopvisionError
from ..messages import translated
from ..ranking import experiments
from ..ranking.experiments import ARMS, CANDIDATE, LIVE, OWN, Result
from ..ranking.models import Experiment, RankerRelease
from .plots import Axis, Line, Whisker, chart, forest
from .rankers import LearningAdmin

NAMES = {
    OWN: gettext_lazy("the shop's own order"),
    LIVE: gettext_lazy("the live ranker"),
    CANDIDATE: gettext_lazy("the candidate"),
}
DONE = {
    "click": gettext_lazy("clicked"),
    "basket_add": gettext_lazy("put into the basket"),
    "purchase": gettext_lazy("bought"),
}
MOST_DAYS = 60  # points of a plot


@admin.register(Experiment)
class ExperimentAdmin(LearningAdmin):
    """One runs at a time; counts name nobody."""

    list_display = (
        "name",
        "state",
        "own_order",
        "candidate",
        "of_candidate",
        "made_up",
        "started_at",
        "stopped_at",
    )
    list_filter = ("state",)
    change_list_template = "admin/shopvision/experiment_list.html"

    @admin.display(description=gettext_lazy("shop's own order"), ordering="holdout")
    def own_order(self, row: Experiment) -> str:
        """Share of the visitors who see it."""
        return f"{row.holdout:.0%}"

    @admin.display(description=gettext_lazy("candidate's share"), ordering="candidate_share")
    def of_candidate(self, row: Experiment) -> str:
        """Share of the visitors who see it; nothing without one."""
        return f"{row.candidate_share:.0%}" if row.candidate_id else ""

    @admin.display(description=gettext_lazy("simulated"), boolean=True)
    def made_up(self, row: Experiment) -> bool:
        """Its counts were made up."""
        return row.simulated

    def get_urls(self) -> list[URLPattern]:
        """Adds the form's target, and the button that stops."""
        start = self.admin_site.admin_view(self.start_view)
        stop = self.admin_site.admin_view(self.stop_view)
        return [
            path("start/", start, name="shopvision_experiment_start"),
            path("<int:pk>/stop/", stop, name="shopvision_experiment_stop"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with a form that starts one where none runs."""
        free = not Experiment.objects.filter(state=experiments.State.RUNNING).exists()
        candidates = RankerRelease.objects.exclude(state=RankerRelease.State.LIVE)[:20]
        context = {"may_train": self.may_train(request), "free": free, "candidates": candidates}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def row_page(self, request: HttpRequest, object_id: str, extra: dict[str, Any]) -> HttpResponse:
        """What came of it."""
        row = self.shown(request, object_id)
        found = experiments.results(row)
        context = {
            "title": str(row),
            "experiment": row,
            "may_stop": row.state == experiments.State.RUNNING and self.may_train(request),
            "arms": [(arm, NAMES[arm]) for arm in ARMS if found[0].seen[arm]],
            "rows": [_row(one) for one in found],
            "days": _by_day(row),
        }
        return self.rendered(request, "experiment_detail.html", {**context, **extra})

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Start what the form asks for."""
        refused = self.asked(request)
        if refused is not None:
            return refused
        try:
            row = experiments.start(
                request.POST.get("name", "").strip() or _("Hold-out"),
                holdout=_share(request.POST.get("holdout")),
                candidate=_candidate(request.POST.get("candidate")),
                candidate_share=_share(request.POST.get("candidate_share")),
                user=request.user,
            )
        except ShopvisionError as error:
            messages.error(request, translated(error))
            return HttpResponseRedirect(reverse("admin:shopvision_experiment_changelist"))
        return HttpResponseRedirect(reverse("admin:shopvision_experiment_change", args=[row.pk]))

    def stop_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Stop it."""
        refused = self.asked(request)
        if refused is not None:
            return refused
        row = experiments.stop(get_object_or_404(Experiment, pk=pk))
        messages.success(request, _("%(name)s is stopped; its counts stay.") % {"name": row})
        return HttpResponseRedirect(reverse("admin:shopvision_experiment_change", args=[row.pk]))


def _share(text: str | None) -> float:
    try:
        found = float((text or "0").replace(",", ".")) / 100
    except ValueError as error:
        raise InvalidRequest("share_not_a_percentage") from error
    if not math.isfinite(found):
        raise InvalidRequest("share_not_a_percentage")
    return found


def _candidate(key: str | None) -> RankerRelease | None:
    return RankerRelease.objects.filter(pk=int(key)).first() if key and key.isdecimal() else None


def _row(one: Result) -> dict[str, Any]:
    """An outcome: rates by arm, and the differences as a plot and in words."""
    arms = [arm for arm in ARMS if one.seen[arm]]
    whiskers = [
        Whisker(
            _("%(ours)s − %(theirs)s") % {"ours": NAMES[ours], "theirs": NAMES[theirs]},
            100 * found.value,
            100 * found.low,
            100 * found.high,
            f"{100 * found.value:+.2f}",
        )
        for (ours, theirs), found in one.differences.items()
    ]
    main = one.differences.get((LIVE, OWN))
    words = str(DONE[one.outcome])
    return {
        "words": words,
        "rates": [
            {"done": one.done[arm], "seen": one.seen[arm], "share": one.done[arm] / one.seen[arm]}
            for arm in arms
        ],
        "known": any(not math.isnan(found.low) for found in one.differences.values()),
        "plot": forest(
            whiskers, _("Difference in the share of visitors who %(did)s, in points") % {"did": words}, 0.0
        ),
        "chance": None if main is None or math.isnan(main.low) else main.chance,
        "sure": main.sure if main is not None else False,
        "better": main is not None and main.value > 0,
    }


def _by_day(row: Experiment) -> SafeString:
    """The difference in clicks between the live ranker and the shop's own order as it grew, with its interval."""
    days = experiments.days(row)[-MOST_DAYS:]
    points, band = [], []
    for day in days:
        found = experiments.results(row, until=day)[0].differences.get((LIVE, OWN))
        if found is not None and not math.isnan(found.low):
            place = float((day - days[0]) / timedelta(days=1))
            points.append((place, 100 * found.value))
            band.append((place, 100 * found.low, 100 * found.high))
    if len(points) < 2:
        return SafeString()
    reach = max(1.0, *(max(abs(low), abs(high)) for _place, low, high in band[len(band) // 3 :]))
    return chart(
        [Line(points), Line([(0.0, 0.0), (points[-1][0], 0.0)], "guide")],
        Axis(_("days since it began"), high=max(points[-1][0], 1.0), percent=False),
        Axis(_("points"), low=-reach, high=reach, percent=False),
        _("Visitors who clicked, the live ranker less the shop's own order, day by day with the interval"),
        band,
    )
