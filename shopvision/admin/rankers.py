"""Rankers: releases with everything their evaluation measured, and what is known; train, promote, roll back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _

from .. import jobs
from ..events import simulated
from ..exceptions import InvalidRequest, ShopvisionError
from ..recommend import release as releases
from ..recommend import serving
from ..recommend.models import RankerRelease
from . import ranker_figures
from .jobs import started
from .readonly import ReadOnlyAdmin

TRAIN = "shopvision.train_ranker"
STARTS = {"train": "train_ranker", "refresh": "refresh_knowledge"}
State = RankerRelease.State


class LearningAdmin(ReadOnlyAdmin):
    """Pages of who may train rankers and run experiments."""

    def may_train(self, request: HttpRequest) -> bool:
        """Train, promote, roll back, run experiments."""
        return bool(request.user.has_perm(TRAIN))

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may train may look."""
        return super().has_view_permission(request, obj) or self.may_train(request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Shows the section to who may train and nothing else."""
        return super().has_module_permission(request) or self.may_train(request)

    def asked(self, request: HttpRequest) -> HttpResponse | None:
        """What refuses a button's request; None where it may go on.

        Raises:
            PermissionDenied: this person may not train.
        """
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.may_train(request):
            raise PermissionDenied
        return None


@admin.register(RankerRelease)
class RankerReleaseAdmin(LearningAdmin):
    """Candidates pass a gate before they go live; the one before stays for rolling back."""

    list_display = ("__str__", "state", "kind", "ndcg", "learned_from", "created_at", "activated_at")
    list_filter = ("state", "kind")
    change_list_template = "admin/shopvision/ranker_list.html"

    @admin.display(description="NDCG@10")
    def ndcg(self, row: RankerRelease) -> str:
        """On listings later than it learned from."""
        value = row.metrics.get("ndcg@10")
        return f"{value:.3f}" if isinstance(value, (int, float)) else "—"

    @admin.display(description="learned from")
    def learned_from(self, row: RankerRelease) -> str:
        """Acts, and whether they were made up."""
        words = f"{row.data.get('events', 0)} acts"
        return f"{words}, simulated" if row.data.get("simulated") else words

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
        known = serving.kept()
        context = {
            "may_train": self.may_train(request),
            "knowledge": releases.newest_knowledge(),
            "live": releases.live(),
            "problem": known.problem,
            "experiment": known.experiment,
            "simulated": simulated.there(),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def row_page(self, request: HttpRequest, object_id: str, extra: dict[str, Any]) -> HttpResponse:
        """One release: figures, plots, what it learned from, and what may be done with it."""
        row = self.shown(request, object_id)
        may = buttons(row) if self.may_train(request) else []
        context = {"title": str(row), "release": row, "buttons": may, **ranker_figures.figures(row), **extra}
        return self.rendered(request, "ranker_detail.html", context)

    def start_view(self, request: HttpRequest, what: str) -> HttpResponse:
        """Queue a training, or a refresh of the knowledge."""
        refused = self.asked(request)
        if refused is not None:
            return refused
        if what not in STARTS:
            raise Http404(f"there is nothing called {what!r} to start")
        return started(request, jobs.start(STARTS[what], {}, request.user))

    def verb_view(self, request: HttpRequest, pk: int, verb: str) -> HttpResponse:
        """Promote a release, or roll back to the one before it."""
        refused = self.asked(request)
        if refused is not None:
            return refused
        row = get_object_or_404(RankerRelease, pk=pk)
        try:
            if verb not in buttons(row):
                raise InvalidRequest(_("%(release)s is %(state)s.") % {"release": row, "state": row.state})
            now = (
                releases.promote(row, request.user) if verb == "promote" else releases.rollback(request.user)
            )
            name = now or _("The untrained blend")
            messages.success(request, _("%(release)s is live.") % {"release": name})
        except ShopvisionError as error:
            messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:shopvision_rankerrelease_change", args=[row.pk]))


def buttons(row: RankerRelease) -> list[str]:
    """What may be done with a release in its state."""
    if row.state == State.LIVE:
        return ["rollback"]
    return ["promote"] if row.state in (State.CANDIDATE, State.RETIRED, State.REFUSED) else []
