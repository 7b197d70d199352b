"""Admin of ranker releases: metrics, off-policy estimates, training, promotion and rollback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from .. import jobs
from ..events import simulated_events
from ..exceptions import ShopvisionError
from ..messages import translated
from ..ranking import ranker_releases as releases
from ..ranking import serving
from ..ranking.models import RankerRelease
from .job_pages import started
from .plots import Axis, Line, Whisker, chart, forest
from .release_pages import ReleaseAdmin, TrainingAdmin
from .verbose_names import WordsFilter, column, word

NDCG = "ndcg@10"
SAID_ABOVE = ("until",)  # the release knows it as a time
MEASURES = (
    (NDCG, "NDCG@10"),
    ("recall@20", gettext_lazy("recall@20")),
    ("mrr", "MRR"),
    ("cold_ndcg@10", gettext_lazy("NDCG@10 of products nobody had met")),
    ("coverage", gettext_lazy("share of the catalogue shown in first places")),
    ("novelty", gettext_lazy("novelty, bits")),
)
NAMES = {
    "live": gettext_lazy("the live ranker"),
    "prior": gettext_lazy("the untrained blend"),
    "popularity": gettext_lazy("popularity"),
    "recent_popularity": gettext_lazy("recent popularity"),
    "no_op": gettext_lazy("the order given"),
    "shuffle": gettext_lazy("chance"),
}

KINDS = {
    "neighbours": gettext_lazy("what goes with what was looked at"),
    "text": gettext_lazy("what its text is about"),
    "visual": gettext_lazy("what it looks like"),
    "words": gettext_lazy("words of its title"),
    "popularity": gettext_lazy("popularity"),
    "ctr": gettext_lazy("how often it is clicked when shown"),
    "repeats": gettext_lazy("met before by the visitor"),
    "price": gettext_lazy("price"),
    "category": gettext_lazy("category"),
    "newness": gettext_lazy("newness"),
    "position": gettext_lazy("the shop's own order"),
}


def figures(row: RankerRelease) -> dict[str, Any]:
    """Everything the release's page shows; a measure that is absent leaves its part out."""
    measured = row.metrics
    rows = {str(row): measured, **{str(NAMES[name]): one for name, one in _others(measured)}}
    return {
        "heads": [words for _, words in MEASURES],
        "rows": [
            {"name": name, "ours": name == str(row), "cells": [one.get(key) for key, _ in MEASURES]}
            for name, one in rows.items()
            if one
        ],
        "plot": _plot(rows, str(row)),
        "gains": _gains(measured.get("compared") or {}),
        "kinds": [
            {
                "kind": word(kind),
                "released": kind == row.kind,
                "ndcg": one.get(NDCG),
                "seconds": one.get("seconds"),
            }
            for kind, one in (measured.get("kinds") or {}).items()
        ],
        "test": measured.get("test") or {},
        "weighs": _weighs(measured.get("weighs") or {}),
        "off_policy": _off_policy(measured.get("off_policy") or {}),
        "data": [(word(name), value) for name, value in row.data.items() if name not in SAID_ABOVE],
        "looked": _looked(measured.get("looked") or []),
        "versions": sorted((row.versions or {}).items()),
    }


def _off_policy(found: Mapping[str, Any]) -> dict[str, Any]:
    return {**found, "refused": translated(found.get("refused") or "")}


def _others(measured: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    rows = measured.get("rows") or {}
    return [(name, rows[name]) for name in NAMES if name in rows]


def _plot(rows: Mapping[str, Mapping[str, Any]], ours: str) -> SafeString:
    whiskers = []
    for name, one in rows.items():
        if isinstance(one.get(NDCG), (int, float)):
            low, high = one.get(f"{NDCG}_interval") or (None, None)
            whiskers.append(Whisker(name, one[NDCG], low, high, f"{one[NDCG]:.3f}", name == ours))
    return forest(whiskers, _("NDCG@10 of each order on the same listings, with 95 % intervals"))


def _gains(compared: Mapping[str, Mapping[str, float]]) -> SafeString:
    rows = [
        Whisker(str(NAMES.get(name, name)), one["gain"], one["low"], one["high"], f"{one['gain']:+.3f}")
        for name, one in compared.items()
    ]
    return forest(rows, _("Gain in NDCG@10 over each other order, with 95 % intervals"), guide=0.0)


def _weighs(kinds: Mapping[str, Mapping[str, float]]) -> SafeString:
    rows = [
        Whisker(str(KINDS.get(name, name)), one["lost"], one["low"], one["high"], f"{one['lost']:+.3f}")
        for name, one in kinds.items()
    ]
    return forest(rows, _("NDCG@10 lost without each kind of feature, with 95 % intervals"), guide=0.0)


def _looked(shares: Sequence[float]) -> SafeString:
    points = [(float(place), share) for place, share in enumerate(shares, 1)]
    if len(points) < 2:
        return SafeString()
    return chart(
        [Line(points, dots=True)],
        Axis(_("position"), low=1, high=float(len(points)), percent=False),
        Axis(_("how likely it is looked at")),
        _("How likely each position is looked at, relative to the likeliest"),
    )


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
            "problem": problem or translated(known.problem),
            "experiment": known.experiment,
            "simulated": simulated_events.there(),
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
            "reason": translated(row.reason),
            "buttons": may,
            "problem": broken(row) if row.state == State.LIVE else "",
            **figures(row),
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
        return translated(error)
    return ""
