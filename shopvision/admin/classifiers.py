"""Classifiers: releases with everything their evaluation measured; train, promote, roll back."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import jobs
from ..catalogue.adapter import catalogues
from ..classification import release as releases
from ..classification import training
from ..classification.models import ClassifierRelease
from ..exceptions import InvalidRequest, ShopvisionError
from . import classifier_figures
from .job_figures import duration
from .jobs import started
from .names import WordsFilter, column, word
from .sentences import said
from .training import ReleaseAdmin

TRAIN = "shopvision.train_classifier"
KINDS = ("auto", *training.KINDS)
"""What a person may ask for; auto compares all that this worker can train and takes the best."""
State = ClassifierRelease.State


@admin.register(ClassifierRelease)
class ClassifierReleaseAdmin(ReleaseAdmin):
    """Candidates pass a gate before they go live; the one before stays for rolling back."""

    training_permission = TRAIN
    list_display = (
        "__str__", "source", "state", "of_kind", "accuracy", "macro_f1", "calibration", "coverage", "created_at",
        "activated_at",
    )  # fmt: skip
    list_filter = ("state", ("target", WordsFilter), "source", ("kind", WordsFilter))
    change_list_template = "admin/shopvision/classifier_list.html"
    of_kind = column("kind", gettext_lazy("kind"))

    @admin.display(description=gettext_lazy("accuracy"))
    def accuracy(self, row: ClassifierRelease) -> str:
        """On held-out products."""
        return _percent(row.metrics.get("accuracy"))

    @admin.display(description=gettext_lazy("macro F1"))
    def macro_f1(self, row: ClassifierRelease) -> str:
        """Every class counts the same."""
        return _percent(row.metrics.get("macro_f1"))

    @admin.display(description=gettext_lazy("calibration error"))
    def calibration(self, row: ClassifierRelease) -> str:
        """How far probabilities are from how often they are right."""
        return _percent(row.metrics.get("calibration_error"))

    @admin.display(description=gettext_lazy("covers at 5 % error"))
    def coverage(self, row: ClassifierRelease) -> str:
        """Share of products it labels when at most 5 % may be wrong."""
        found = (row.metrics.get("thresholds") or {}).get("0.05") or {}
        return _percent(found.get("coverage"))

    def get_urls(self) -> list[URLPattern]:
        """Adds the page that trains, and the buttons of a release."""
        train = self.admin_site.admin_view(self.train_view)
        verb = self.admin_site.admin_view(self.verb_view)
        return [
            path("train/", train, name="shopvision_classifierrelease_train"),
            path("<int:pk>/do/<slug:verb>/", verb, name="shopvision_classifierrelease_verb"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with the way to train."""
        return super().changelist_view(
            request, {"may_train": self.may_train(request), **(extra_context or {})}
        )

    def row_page(self, request: HttpRequest, object_id: str, extra: dict[str, Any]) -> HttpResponse | None:
        """One release: figures, plots, the data it learned from, and what may be done with it."""
        row = self.shown(request, object_id)
        context = {
            "title": str(row),
            "release": row,
            "kind": word(row.kind),
            "reason": said(row.reason),
            "buttons": self.buttons(row) if self.may_train(request) else [],
            **classifier_figures.figures(row, self.admin_site),
        }
        return self.rendered(request, "classifier_detail.html", {**context, **extra})

    def train_view(self, request: HttpRequest) -> HttpResponse:
        """Asks what to train, says how long it takes, starts it when confirmed."""
        if not self.may_train(request):
            raise PermissionDenied
        given = request.POST or request.GET
        params = {"source": given.get("source", ""), "target": given.get("target", "")}
        offers: list[dict[str, Any]] = [
            {"source": source, "target": target, "live": releases.live(source, target)}
            for source, adapter in catalogues().items()
            for target in adapter.targets()
        ]
        try:
            if request.method == "POST":
                return started(request, start(request, params))
        except ShopvisionError as error:
            messages.error(request, said(error))
        for offer in offers:
            offer |= self._estimate(offer["source"], offer["target"])
        context = {
            "title": _("Train a classifier"),
            "offers": offers,
            "chosen": params,
            "kinds": [(kind, word(kind)) for kind in KINDS],
        }
        return self.rendered(request, "classifier_train.html", context)

    def _estimate(self, source: str, target: str) -> dict[str, Any]:
        try:
            found = jobs.estimate("train", {"source": source, "target": target})
        except ShopvisionError as error:
            return {"problem": said(error)}
        return {"estimate": found, "duration": duration(float(found.get("seconds") or 0))}

    def press(self, request: HttpRequest, row: ClassifierRelease, verb: str) -> tuple[str, ClassifierRelease]:
        """The page of the one that came back is shown."""
        if verb == "promote":
            return str(releases.promote(row, request.user)), row
        now = releases.rollback(row.source, row.target, request.user)
        return str(now), now


def start(request: HttpRequest, params: dict[str, Any]) -> jobs.Job:
    """Queue the training.

    Raises:
        InvalidRequest: no such catalogue, target or kind of model.
    """
    adapter = catalogues().get(params["source"])
    if adapter is None or params["target"] not in adapter.targets():
        raise InvalidRequest(_("Choose what to train."))
    kind = request.POST.get("kind", "auto")
    if kind not in KINDS:
        raise InvalidRequest(_("There is no model called %(kind)s.") % {"kind": kind})
    return jobs.start("train", {**params, "kind": kind}, request.user)


def _percent(value: Any) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, (int, float)) else "—"
