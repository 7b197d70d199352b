"""Rankers: releases with everything their evaluation measured, and what is known; train, promote, roll back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .. import jobs
from ..events import simulated
from ..exceptions import ShopvisionError
from ..recommend import release as releases
from ..recommend import serving
from ..recommend.models import RankerRelease
from . import ranker_figures
from .jobs import started
from .names import WordsFilter, column, word
from .sentences import said
from .training import ReleaseAdmin, TrainingAdmin

TRAIN = "shopvision.train_ranker"
STARTS = {"train": "train_ranker", "refresh": "refresh_knowledge"}
State = RankerRelease.State


class LearningAdmin(TrainingAdmin):
    """Pages of who may train rankers and run experiments."""

    training_permission = TRAIN


@admin.register(RankerRelease)
class RankerReleaseAdmin(LearningAdmin, ReleaseAdmin):
    """Candidates pass a gate before they go live; the one before stays for rolling back."""

    first_rolls_back = True  # to the untrained blend
    list_display = ("__str__", "state", "of_kind", "ndcg", "learned_from", "created_at", "activated_at")
    list_filter = ("state", ("kind", WordsFilter))
    change_list_template = "admin/shopvision/ranker_list.html"
    of_kind = column("kind", gettext_lazy("kind"))

    @admin.display(description="NDCG@10")
    def ndcg(self, row: RankerRelease) -> str:
        """On listings later than it learned from."""
        value = row.metrics.get("ndcg@10")
        return f"{value:.3f}" if isinstance(value, (int, float)) else "—"

    @admin.display(description=gettext_lazy("learned from"))
    def learned_from(self, row: RankerRelease) -> str:
        """Acts, and whether they were made up."""
        number = int(row.data.get("events") or 0)
        words = ngettext("%(n)d act", "%(n)d acts", number) % {"n": number}
        return _("%(acts)s, simulated") % {"acts": words} if row.data.get("simulated") else words

    def get_urls(self) -> list[URLPattern]:
        """Adds what may be started, and the buttons of a release."""
        start = self.admin_site.admin_view(self.start_view)
        verb = self.admin_site.admin_view(self.verb_view)
        return [
            path("start/<slug:what>/", start, name="shopvision_rankerrelease_start"),
            path("<int:pk>/do/<slug:verb>/", verb, name="shopvision_rankerrelease_verb"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with what is known by now and the ways to learn more."""
        known, live = serving.kept(), releases.live()
        problem = broken(live)
        context = {
            "may_train": self.may_train(request),
            "knowledge": releases.newest_knowledge(),
            "live": None if problem else live,
            "problem": problem or said(known.problem),
            "experiment": known.experiment,
            "simulated": simulated.there(),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def row_page(self, request: HttpRequest, object_id: str, extra: dict[str, Any]) -> HttpResponse:
        """One release: figures, plots, what it learned from, and what may be done with it."""
        row = self.shown(request, object_id)
        may = self.buttons(row) if self.may_train(request) else []
        context = {
            "title": str(row),
            "release": row,
            "kind": word(row.kind),
            "reason": said(row.reason),
            "buttons": may,
            "problem": broken(row) if row.state == State.LIVE else "",
            **ranker_figures.figures(row),
            **extra,
        }
        return self.rendered(request, "ranker_detail.html", context)

    def start_view(self, request: HttpRequest, what: str) -> HttpResponse:
        """Queue a training, or a refresh of the knowledge."""
        refused = self.asked(request)
        if refused is not None:
            return refused
        if what not in STARTS:
            raise Http404(f"there is nothing called {what!r} to start")
        return started(request, jobs.start(STARTS[what], {}, request.user))

    def press(self, request: HttpRequest, row: RankerRelease, verb: str) -> tuple[str, RankerRelease]:
        """The page stays."""
        now = releases.promote(row, request.user) if verb == "promote" else releases.rollback(request.user)
        return str(now or _("The untrained blend")), row


def broken(row: RankerRelease | None) -> str:
    """Why a live release cannot rank, so that the untrained blend stands in; nothing where it can."""
    try:
        if row is not None:
            releases.open_ranker(row)
    except ShopvisionError as error:
        return said(error)
    return ""
