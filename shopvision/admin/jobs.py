"""Jobs: what runs, how far it is, how long it will take, what went wrong; start, cancel, resume, undo."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import CheckboxInput
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, ngettext_lazy

from .. import jobs
from ..classification.models import Decision
from ..exceptions import InvalidRequest, ShopvisionError
from ..jobs import Job
from . import job_figures
from .job_figures import duration
from .names import WordsFilter, word
from .readonly import ReadOnlyAdmin
from .sentences import said

REFRESH_SECONDS = 3  # the list reloads while something runs
OWN = {
    "classify": "shopvision.classify_products",
    "train": "shopvision.train_classifier",
    "train_ranker": "shopvision.train_ranker",
    "refresh_knowledge": "shopvision.train_ranker",
}
"""Who started a job of these kinds may look at it and stop it without any permission on jobs."""


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
            return format_html("{}", said(job.message) if job.state in jobs.ACTIVE else "")
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
                messages.error(request, said(error))
        if done:
            messages.success(request, done_words % {"n": done})

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with a button for each kind of job that needs no choice of products."""
        kinds = [(name, word(name), of_kind(name)) for name, one in jobs.KINDS.items() if one.bare]
        context = {"kinds": kinds, "may_start": self.may_act(request), **(extra_context or {})}
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
        if not self.may_act(request):
            raise PermissionDenied
        back = reverse("admin:shopvision_job_changelist")
        if kind not in jobs.KINDS or not jobs.KINDS[kind].bare:
            messages.error(request, _("There is no job called %(kind)s to start here.") % {"kind": kind})
            return HttpResponseRedirect(back)
        if request.method == "POST":
            job = jobs.start(kind, {}, request.user)
            return HttpResponseRedirect(reverse("admin:shopvision_job_change", args=[job.pk]))
        estimate = jobs.estimate(kind, {})
        context = {
            "title": of_kind(kind),
            "estimate": estimate,
            "basis": said(estimate.get("basis", "")),
            "duration": duration(float(estimate.get("seconds") or 0)),
        }
        return self.rendered(request, "job_start.html", context)

    def may_see(self, request: HttpRequest, row: Job) -> bool:
        """Whoever may see jobs, and who started this one."""
        return super().may_see(request, row) or self._is_own(request, row)

    def _is_own(self, request: HttpRequest, job: Job) -> bool:
        permission = OWN.get(job.kind)
        own = permission is not None and job.created_by_id == request.user.pk
        return own and request.user.has_perm(str(permission))

    def may(self, request: HttpRequest, job: Job, verb: str) -> bool:
        """May this person press this button now."""
        if verb == "undo":
            return may_be_undone(job) and request.user.has_perm("shopvision.apply_classifications")
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
            **job_figures.figures(job, self.admin_site, request.GET.get("page", "1")),
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
            messages.error(request, said(error))
        return HttpResponseRedirect(reverse("admin:shopvision_job_change", args=[job.pk]))

    def _do(self, request: HttpRequest, job: Job, verb: str) -> Job:
        if not self.may(request, job, verb):
            raise InvalidRequest(
                _("This job is %(state)s; that cannot be done now.") % {"state": job.get_state_display()}
            )
        if verb == "undo":
            job = jobs.start("undo", {"job": str(job.pk)}, request.user)
        else:
            {"cancel": jobs.cancel, "resume": jobs.resume}[verb](job)
        return job


def may_be_undone(job: Job) -> bool:
    """It wrote to the shop's products, nothing of it has been undone by a job yet, and it is over."""
    over = job.kind == "classify" and job.state not in jobs.ACTIVE
    return over and applied_by(job).exists()


def applied_by(job: Job) -> QuerySet[Decision]:
    """What the job applied and nobody has undone."""
    return Decision.objects.filter(job=job, verb=Decision.Verb.APPLY, written=True, undone_at=None)


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
