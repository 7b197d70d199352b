"""Admin of jobs: progress, errors, results; start, cancel, resume and undo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.forms import CheckboxInput
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from .. import jobs
from ..exceptions import InvalidRequest, ShopvisionError
from ..jobs import ACTIVE, Job
from ..messages import translated
from ..types import ProductRef
from .product_display import shown
from .read_only import ReadOnlyAdmin
from .verbose_names import WordsFilter, word

ERRORS_A_PAGE = 50
HIDDEN = ("found", "release", "seconds")  # shown elsewhere, or too long


def figures(job: Job, site: AdminSite, page: str = "1") -> dict[str, Any]:
    """Everything the job's page shows, as plain values."""
    worked = job.done + job.failed
    seconds = _seconds_running(job)
    rate = worked / seconds if worked and seconds else 0.0
    left = (job.total - worked) / rate if rate and job.total > worked else None
    errors = Paginator(job.errors.order_by("-created_at", "pk"), ERRORS_A_PAGE).get_page(page)
    return {
        "active": job.state in ACTIVE,
        "message": translated(job.message),
        "basis": translated(job.estimate.get("basis", "")),
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
    kind = jobs.KINDS.get(job.kind)
    if kind is not None and kind.about is not None:
        yield from kind.about(params)
    if params.get("kind"):
        yield _("model"), word(params["kind"])
    if params.get("job"):
        yield _("job"), str(params["job"])


def _results(job: Job) -> Iterator[tuple[str, str]]:
    for key, value in job.result.items():
        if key in HIDDEN or isinstance(value, (dict, list)) or value is None:
            continue
        words = f"{value:.4g}" if isinstance(value, float) else translated(word(value))
        yield word(key), words


def _releases(job: Job) -> list[dict[str, Any]]:
    """Releases the job trained or used, each with its page: ``release`` of its result, and of each part of it."""
    kind = jobs.KINDS.get(job.kind)
    if kind is None or not kind.release:
        return []
    model = kind.release
    found = [
        {
            "name": " ".join(map(word, key.split(" "))),  # catalogue and target
            "release": value["release"],
            "state": word(value.get("state", "")),
            "reason": translated(value.get("reason", "")),
            "page": _page(model, value["release"]),
        }
        for key, value in job.result.items()
        if isinstance(value, dict) and value.get("release")
    ]
    if used := job.result.get("release"):
        name = word(model.removesuffix("release"))
        found.append({"name": name, "release": used, "state": "", "reason": "", "page": _page(model, used)})
    return found


def _page(model: str, release: object) -> str:
    """Of a release, which a result names by its number, or as ``name@number``."""
    return reverse(f"admin:shopvision_{model}_change", args=[str(release).rpartition("@")[2]])


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
        rows.append({"item": error.item, "title": title, "link": link, "message": translated(error.message)})
    return rows


REFRESH_SECONDS = 3  # the list reloads while something runs


def of_kind(kind: str) -> str:
    """What jobs of a kind do, in words."""
    return _(jobs.KINDS[kind].words) if kind in jobs.KINDS else word(kind)


class KindFilter(WordsFilter):
    """Jobs by what they do."""

    def words(self, code: str) -> str:
        """What jobs of the kind do."""
        return of_kind(code)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """The list reloads itself while a job runs."""

    list_display = (
        "what",
        "state",
        "progress",
        "failed",
        "estimated",
        "created_by",
        "created_at",
        "finished_at",
    )
    list_filter = ("state", ("kind", KindFilter))
    actions = ["cancel", "resume"]
    change_list_template = "admin/shopvision/job_list.html"

    def action_checkbox(self, job: Job) -> SafeString:
        """Django's, read aloud by what the job does."""
        words = _("Select this object for an action - {}").format(self.what(job))
        box = CheckboxInput({"class": "action-select", "aria-label": words}, lambda value: False)
        return box.render(ACTION_CHECKBOX_NAME, str(job.pk))

    @admin.display(description=gettext_lazy("job"), ordering="kind")
    def what(self, job: Job) -> str:
        """What it does, in words."""
        return of_kind(job.kind)

    @admin.display(description=gettext_lazy("progress"))
    def progress(self, job: Job) -> SafeString:
        """A bar and the numbers behind it; of a job that counts nothing, what it is doing."""
        if not job.total:
            return format_html("{}", translated(job.message) if job.state in jobs.ACTIVE else "")
        return format_html(
            '<progress class="shopvision-progress" max="{}" value="{}" aria-label="{}"></progress> {} / {}',
            max(job.total, 1),
            job.done,
            _("progress"),
            job.done,
            job.total,
        )

    @admin.display(description=gettext_lazy("estimate"))
    def estimated(self, job: Job) -> str:
        """The time said before it started."""
        seconds = job.estimate.get("seconds")
        return "" if seconds is None else duration(float(seconds))

    @admin.action(description=gettext_lazy("Cancel"), permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Stop after the batch in hand; what is done stays done."""
        self._each(
            request,
            queryset,
            jobs.cancel,
            ngettext_lazy("%(n)d job cancelled.", "%(n)d jobs cancelled.", "n"),
        )

    @admin.action(description=gettext_lazy("Resume"), permissions=["act"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Go on where it stopped."""
        self._each(
            request, queryset, jobs.resume, ngettext_lazy("%(n)d job resumed.", "%(n)d jobs resumed.", "n")
        )

    def _each(self, request: HttpRequest, queryset: QuerySet[Job], verb: Any, done_words: Any) -> None:
        done = 0
        for job in queryset:
            try:
                verb(job)
                done += 1
            except ShopvisionError as error:
                messages.error(request, translated(error))
        if done:
            messages.success(request, done_words % {"n": done})

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with a button for each kind of job that needs no choice of products."""
        kinds = [(name, word(name), of_kind(name)) for name in jobs.KINDS if self.may_start(request, name)]
        context = {"kinds": kinds, **(extra_context or {})}
        response = super().changelist_view(request, context)
        if request.method == "GET" and Job.objects.filter(state__in=jobs.ACTIVE).exists():
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    def get_urls(self) -> list[URLPattern]:
        """Adds the page that starts a job, and the buttons of a job's page."""
        start = self.admin_site.admin_view(self.start_view)
        verb = self.admin_site.admin_view(self.verb_view)
        return [
            path("start/<slug:kind>/", start, name="shopvision_job_start"),
            path("<uuid:pk>/do/<slug:verb>/", verb, name="shopvision_job_verb"),
            *super().get_urls(),
        ]

    def start_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Says what the job will do and how long it takes; starts it when confirmed."""
        if kind not in jobs.KINDS or not jobs.KINDS[kind].bare:
            messages.error(request, _("There is no job called %(kind)s to start here.") % {"kind": kind})
            return HttpResponseRedirect(reverse("admin:shopvision_job_changelist"))
        if not self.may_start(request, kind):
            raise PermissionDenied
        if request.method == "POST":
            job = jobs.start(kind, {}, request.user)
            return HttpResponseRedirect(reverse("admin:shopvision_job_change", args=[job.pk]))
        estimate = jobs.estimate(kind, {})
        context = {
            "title": of_kind(kind),
            "estimate": estimate,
            "basis": translated(estimate.get("basis", "")),
            "duration": duration(float(estimate.get("seconds") or 0)),
        }
        return self.rendered(request, "job_start.html", context)

    def may_start(self, request: HttpRequest, kind: str) -> bool:
        """May this person start a job of a kind that needs no choice of products."""
        one = jobs.KINDS[kind]
        return one.bare and (self.may_act(request) or request.user.has_perm(one.permission))

    def may_see(self, request: HttpRequest, row: Job) -> bool:
        """Whoever may see jobs, and who started this one."""
        return super().may_see(request, row) or self._is_own(request, row)

    def _is_own(self, request: HttpRequest, job: Job) -> bool:
        """Who started a job may look at it and stop it while they may start such jobs."""
        kind = jobs.KINDS.get(job.kind)
        if kind is None or job.created_by_id != request.user.pk:
            return False
        return request.user.has_perm(kind.permission)

    def may(self, request: HttpRequest, job: Job, verb: str) -> bool:
        """May this person press this button now."""
        if verb == "undo":
            by = undone_by(job)
            return by is not None and request.user.has_perm(by.permission)
        states: dict[str, tuple[str, ...]] = {
            "cancel": (Job.State.QUEUED, Job.State.RUNNING),
            "resume": (Job.State.CANCELLED, Job.State.FAILED),
        }
        return job.state in states.get(verb, ()) and (self.may_act(request) or self._is_own(request, job))

    def row_page(self, request: HttpRequest, object_id: str, extra: dict[str, Any]) -> HttpResponse | None:
        """One job, live: ``?part=live`` gives what changes while it runs, for the page's script."""
        job = self.shown(request, object_id)
        context = {
            "title": self.what(job),
            "job": job,
            "buttons": [verb for verb in ("cancel", "resume", "undo") if self.may(request, job, verb)],
            "refresh": REFRESH_SECONDS,
            **figures(job, self.admin_site, request.GET.get("page", "1")),
        }
        name = "job_live.html" if request.GET.get("part") == "live" else "job_detail.html"
        return self.rendered(request, name, {**context, **extra})

    def verb_view(self, request: HttpRequest, pk: Any, verb: str) -> HttpResponse:
        """Cancel, resume or undo, and back to a job's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job = get_object_or_404(Job, pk=pk)
        if not self.may_see(request, job):
            raise PermissionDenied
        try:
            job = self._do(request, job, verb)
        except ShopvisionError as error:
            messages.error(request, translated(error))
        return HttpResponseRedirect(reverse("admin:shopvision_job_change", args=[job.pk]))

    def _do(self, request: HttpRequest, job: Job, verb: str) -> Job:
        if not self.may(request, job, verb):
            raise InvalidRequest("job_state_forbids", state=job.state)
        if verb == "undo":
            job = jobs.start(jobs.KINDS[job.kind].undone_by, {"job": str(job.pk)}, request.user)
        else:
            {"cancel": jobs.cancel, "resume": jobs.resume}[verb](job)
        return job


def undone_by(job: Job) -> jobs.Kind | None:
    """The kind of job that would undo this one; None where nothing of it can be undone now."""
    kind = jobs.KINDS.get(job.kind)
    if kind is None or not kind.undone_by or jobs.impossible(kind.undone_by, {"job": str(job.pk)}):
        return None
    return jobs.KINDS[kind.undone_by]


def started(request: HttpRequest, job: Job) -> HttpResponse:
    """Say that a job is queued, and go to its page."""
    total = job.total
    messages.success(
        request,
        ngettext("Queued for %(n)d product.", "Queued for %(n)d products.", total) % {"n": total}
        if total
        else _("Queued."),
    )
    return HttpResponseRedirect(reverse("admin:shopvision_job_change", args=[job.pk]))
