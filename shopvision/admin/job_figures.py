"""A job in figures: how far, how fast, how long still; what it works on; what it gave; what failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import AdminSite
from django.core.paginator import Paginator
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..jobs import ACTIVE, Job
from ..types import ProductRef
from .names import word
from .products import shown
from .sentences import said

ERRORS_A_PAGE = 50
HIDDEN = ("found", "release", "seconds")  # shown elsewhere, or too long
OF_KIND = {  # whose release a job's result names; train names several
    "classify": "classifier",
    "train_ranker": "ranker",
    "tune": "encoder",
    "tune_from_clicks": "encoder",
}


def figures(job: Job, site: AdminSite, page: str = "1") -> dict[str, Any]:
    """Everything the job's page shows, as plain values."""
    worked = job.done + job.failed
    seconds = _seconds_running(job)
    rate = worked / seconds if worked and seconds else 0.0
    left = (job.total - worked) / rate if rate and job.total > worked else None
    errors = Paginator(job.errors.order_by("-created_at", "pk"), ERRORS_A_PAGE).get_page(page)
    return {
        "active": job.state in ACTIVE,
        "message": said(job.message),
        "basis": said(job.estimate.get("basis", "")),
        "worked": worked,
        "share": min(1.0, worked / job.total) if job.total else None,
        "rate": (round(rate, 1) if rate < 100 else round(rate)) if job.total > 1 else 0.0,
        "left": duration(left) if left is not None and job.state in ACTIVE else "",
        "took": duration(seconds) if seconds and job.finished_at else "",
        "estimated": duration(float(job.estimate["seconds"])) if job.estimate.get("seconds") else "",
        "about": list(_about(job)),
        "results": list(_results(job)),
        "releases": _releases(job),
        "errors": errors,
        "error_rows": _error_rows(errors.object_list, site),
    }


def duration(seconds: float) -> str:
    """Seconds in words: "40 s", "3 min", "2.5 h"."""
    if seconds < 60:
        return _("%(n)s s") % {"n": max(1, round(seconds))}
    if seconds < 5400:
        return _("%(n)s min") % {"n": round(seconds / 60)}
    return _("%(n)s h") % {"n": f"{seconds / 3600:.1f}"}


def _seconds_running(job: Job) -> float:
    """Working time where the job measured it, else the time since it started."""
    if job.result.get("seconds"):
        return float(job.result["seconds"])
    if job.started_at is None:
        return 0.0
    return float(((job.finished_at or timezone.now()) - job.started_at).total_seconds())


def _about(job: Job) -> Iterator[tuple[str, str]]:
    """What it works on, in words."""
    params = job.params
    if params.get("source"):
        yield _("catalogue"), str(params["source"])
    if params.get("target"):
        yield _("what to recognise"), word(params["target"])
    if job.kind == "classify":
        yield _("products"), selection_in_words(params)
        error = params.get("acceptable_error")
        mode = (
            _("applied where at most %(error)s are wrong") % {"error": f"{float(error):.0%}"}
            if error
            else _("suggestions only")
        )
        yield _("mode"), mode
    if params.get("kind"):
        yield _("model"), word(params["kind"])
    if params.get("job"):
        yield _("job"), str(params["job"])


def selection_in_words(params: dict[str, Any]) -> str:
    """Which products a classify job takes."""
    refs = params.get("refs")
    if refs is not None:
        return ngettext("%(n)d chosen by hand", "%(n)d chosen by hand", len(refs)) % {"n": len(refs)}
    if params.get("shown") is not None:
        return _("all that the list showed")
    if params.get("query"):
        return _("all that pass the filter “%(query)s”") % {"query": params["query"]}
    return _("all")


def _results(job: Job) -> Iterator[tuple[str, str]]:
    for key, value in job.result.items():
        if key in HIDDEN or isinstance(value, (dict, list)) or value is None:
            continue
        words = f"{value:.4g}" if isinstance(value, float) else said(word(value))
        yield word(key), words


def _releases(job: Job) -> list[dict[str, Any]]:
    """Releases the job trained or used, each with its page."""
    if job.kind == "train":
        return [
            {
                "name": " ".join(map(word, key.split(" "))),  # catalogue and target
                "release": value["release"],
                "state": word(value.get("state", "")),
                "reason": said(value.get("reason", "")),
                "page": _page("classifier", value["release"]),
            }
            for key, value in job.result.items()
            if isinstance(value, dict) and value.get("release")
        ]
    used, model = job.result.get("release"), OF_KIND.get(job.kind)
    if not used or model is None:
        return []
    words = {"classifier": _("classifier"), "ranker": _("ranker"), "encoder": _("encoder")}
    return [{"name": words[model], "release": used, "state": "", "reason": "", "page": _page(model, used)}]


def _page(model: str, release: object) -> str:
    """Of a release, which a result names by its number, or as ``name@number``."""
    return reverse(f"admin:shopvision_{model}release_change", args=[str(release).rpartition("@")[2]])


def _error_rows(errors: Any, site: AdminSite) -> list[dict[str, str]]:
    """Item, message and, where the item is a product, its title and page."""
    refs: dict[str, ProductRef] = {}
    for error in errors:
        try:
            refs[error.item] = ProductRef.parse(error.item)
        except ValueError:
            continue
    products = shown(refs.values(), site)
    rows = []
    for error in errors:
        one = products.get(refs[error.item]) if error.item in refs else None
        title, link = (one.title, one.edit) if one else (error.item, "")
        rows.append({"item": error.item, "title": title, "link": link, "message": said(error.message)})
    return rows
