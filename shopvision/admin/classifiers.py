"""Admin of classifier releases: metrics, plots, training, promotion and rollback."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import jobs
from ..catalogue.adapter import catalogues
from ..classification import classifier_releases as releases
from ..classification import classifier_training
from ..classification.models import ClassifierRelease
from ..exceptions import InvalidRequest, ShopvisionError
from ..messages import translated
from ..types import ProductRef
from . import plots
from .job_pages import duration, started
from .plots import Axis, Line
from .product_display import shown
from .release_pages import ReleaseAdmin
from .verbose_names import WordsFilter, column, word

MOST_CELLS = 15  # classes whose confusion matrix is a table a person can read
MOST_CONFUSIONS = 12
MOST_DOUBTED = 50
SHADES = ((0.5, 5), (0.25, 4), (0.12, 3), (0.05, 2), (0.0, 1))  # share of a row above which a shade begins
HEADLINE = (
    ("accuracy", gettext_lazy("accuracy")),
    ("top5", gettext_lazy("right label among the first five")),
    ("macro_precision", gettext_lazy("precision, mean over labels")),
    ("macro_recall", gettext_lazy("recall, mean over labels")),
    ("macro_f1", gettext_lazy("F1, mean over labels")),
    ("calibration_error", gettext_lazy("calibration error")),
    ("open_set_auroc", gettext_lazy("AUROC for things of no label")),
    ("coverage", gettext_lazy("covered at 5 % error")),
)


def figures(row: ClassifierRelease, site: AdminSite) -> dict[str, Any]:
    """Everything the release's page shows; a measure that is absent leaves its part out."""
    measured, names = row.metrics, [one["name"] for one in row.labels]
    return {
        "headline": list(_headline(measured)),
        "folds": measured.get("folds") or [],
        "classes": _classes(measured.get("classes") or [], names),
        "confusion": confusion(measured.get("confusion") or [], names),
        "reliability": _reliability(measured.get("reliability") or []),
        "coverage": _coverage(measured.get("coverage_curve") or []),
        "thresholds": _thresholds(measured.get("thresholds") or {}),
        "learning": _learning(measured.get("learning_curve") or []),
        "next_100": measured.get("next_100"),
        "models": _models(measured.get("models") or {}, row.kind),
        "left_out": {word(kind): translated(why) for kind, why in (measured.get("left_out") or {}).items()},
        "modalities": [
            {"name": word(name), "accuracy": one.get("accuracy")}
            for name, one in (measured.get("modalities") or {}).items()
        ],
        "report": report(row.snapshot.report or {}, site),
        "versions": sorted((row.versions or {}).items()),
    }


def _headline(measured: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for key, words in HEADLINE:
        if isinstance(measured.get(key), (int, float)):
            interval = measured.get(f"{key}_interval")
            yield {"words": words, "value": measured[key], "interval": interval}


def _classes(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Per class, the weakest first."""
    found: list[dict[str, Any]] = [{"name": name, **one} for name, one in zip(names, rows, strict=False)]
    return sorted(found, key=lambda one: one.get("f1") or 0.0)


def confusion(counts: Sequence[Sequence[int]], names: Sequence[str]) -> dict[str, Any] | None:
    """The matrix as a shaded table where it can be read, as a plot where it cannot; the worst confusions in words."""
    if not counts:
        return None
    cells: list[dict[str, Any]] = [
        {"true": names[r], "said": names[c], "count": count, "share": count / max(1, sum(row))}
        for r, row in enumerate(counts)
        for c, count in enumerate(row)
        if count and r != c
    ]
    table = [
        {"name": names[r], "cells": [_cell(count, sum(row), r == c) for c, count in enumerate(row)]}
        for r, row in enumerate(counts)
    ]
    small = len(counts) <= MOST_CELLS
    label = _("Confusion matrix: rows are the true labels, columns what the model said")
    return {
        "top": sorted(cells, key=lambda one: (-one["count"], -one["share"]))[:MOST_CONFUSIONS],
        "names": list(names) if small else [],
        "table": table if small else [],
        "plot": "" if small else plots.heat(counts, label),
    }


def _cell(count: int, total: int, diagonal: bool) -> dict[str, Any]:
    share = count / total if total else 0.0
    shade = next(shade for least, shade in SHADES if share >= least) if count else 0
    return {"count": count, "shade": shade, "diagonal": diagonal}


def _reliability(bins: Sequence[Mapping[str, Any]]) -> SafeString:
    points = [(float(one["probability"]), float(one["accuracy"])) for one in bins if one.get("count")]
    return plots.chart(
        [Line(points, "points", dots=True), Line([(0.0, 0.0), (1.0, 1.0)], "guide")],
        Axis(_("probability the model gave")),
        Axis(_("share that was right")),
        _("Reliability: how often the model is right at each probability; the dashed line is perfect"),
    )


def _coverage(curve: Sequence[Mapping[str, Any]]) -> SafeString:
    points = sorted((float(one["coverage"]), float(one["error"])) for one in curve)
    worst = max((error for _share, error in points), default=0.0)
    return plots.chart(
        [Line(points)],
        Axis(_("share of products it labels")),
        Axis(_("share of those that are wrong"), high=_round_up(worst)),
        _("Error against coverage: labelling fewer products, the surest ones, makes fewer mistakes"),
    )


def _round_up(value: float) -> float:
    return next((top for top in (0.02, 0.05, 0.1, 0.2, 0.5) if value <= top), 1.0)


def _learning(curve: Sequence[Mapping[str, Any]]) -> SafeString:
    points = [(float(one["labels"]), float(one["accuracy"])) for one in curve]
    if len(points) < 2:
        return SafeString()
    band = [
        (float(one["labels"]), float(one["low"]), float(one["high"]))
        for one in curve
        if one.get("low") is not None and one.get("high") is not None
    ]
    lowest = min([value for _labels, value in points] + [low for _labels, low, _high in band])
    return plots.chart(
        [Line(points, dots=True)],
        Axis(_("labelled products"), high=plots.round_up(points[-1][0]), percent=False),
        Axis(_("accuracy"), low=0.5 if lowest >= 0.5 else 0.0),
        _("Learning curve: accuracy with more labelled products, with its interval"),
        band,
    )


def _thresholds(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"wanted": float(key), **(value or {})} for key, value in sorted(found.items(), key=_as_number)]


def _as_number(item: tuple[str, Any]) -> float:
    return float(item[0])


def _models(found: Mapping[str, Mapping[str, Any]], released: str) -> list[dict[str, Any]]:
    rows = [{"kind": word(kind), **one, "released": kind == released} for kind, one in found.items()]
    return sorted(rows, key=lambda one: -(one.get("accuracy") or 0.0))


def report(found: Mapping[str, Any], site: AdminSite) -> dict[str, Any]:
    """What is wrong with the labels, with links to the products."""
    doubted = (found.get("mislabelled") or [])[:MOST_DOUBTED]
    conflicts = (found.get("conflicts") or [])[:MOST_DOUBTED]
    refs = {text: _ref(text) for text in _named(doubted, conflicts)}
    products = shown([ref for ref in refs.values() if ref], site)
    look = {text: products.get(ref) if ref else None for text, ref in refs.items()}
    return {
        "small": found.get("small") or [],
        "mislabelled": [{**one, "shown": look.get(one.get("product", ""))} for one in doubted],
        "conflicts": [
            {
                **one,
                "why": word(one.get("why", "")),
                "shown": [look.get(text) for text in one.get("products", [])],
            }
            for one in conflicts
        ],
    }


def _named(doubted: Sequence[Mapping[str, Any]], conflicts: Sequence[Mapping[str, Any]]) -> set[str]:
    return {one.get("product", "") for one in doubted} | {
        text for one in conflicts for text in one.get("products", [])
    }


def _ref(text: str) -> ProductRef | None:
    try:
        return ProductRef.parse(text)
    except ValueError:
        return None


TRAIN = "shopvision.train_classifier"
KINDS = ("auto", *classifier_training.KINDS)
"""What a person may ask for; auto compares all that this worker can train and takes the best."""


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
            "reason": translated(row.reason),
            "buttons": self.buttons(row) if self.may_train(request) else [],
            **figures(row, self.admin_site),
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
            messages.error(request, translated(error))
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
            return {"problem": translated(error)}
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
        raise InvalidRequest("training_target_missing")
    kind = request.POST.get("kind", "auto")
    if kind not in KINDS:
        raise InvalidRequest("unknown_classifier_kind", kind=kind, names=", ".join(KINDS))
    return jobs.start("train", {**params, "kind": kind}, request.user)


def _percent(value: Any) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, (int, float)) else "—"
