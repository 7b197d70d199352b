"""Jobs: what runs, how far it is, how long it will take; start, cancel, resume."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from .. import jobs
from ..exceptions import ShopvisionError
from ..jobs import Job
from .readonly import ReadOnlyAdmin

REFRESH_SECONDS = 3  # the list reloads while something runs
ACTIVE = (Job.State.QUEUED, Job.State.RUNNING, Job.State.CANCELLING)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    """The list reloads itself while a job runs."""

    list_display = (
        "kind",
        "state",
        "progress",
        "failed",
        "estimated",
        "created_by",
        "created_at",
        "finished_at",
    )
    list_filter = ("state", "kind")
    actions = ["cancel", "resume"]
    change_list_template = "admin/shopvision/job_list.html"

    @admin.display(description="progress")
    def progress(self, job: Job) -> SafeString:
        """A bar and the numbers behind it; of a job that counts nothing, what it is doing."""
        if not job.total:
            return format_html("{}", job.message if job.state in ACTIVE else "")
        return format_html(
            '<progress class="shopvision-progress" max="{}" value="{}" aria-label="progress"></progress> '
            "{} / {}",
            max(job.total, 1),
            job.done,
            job.done,
            job.total,
        )

    @admin.display(description="estimate")
    def estimated(self, job: Job) -> str:
        """The time said before it started."""
        seconds = job.estimate.get("seconds")
        return "" if seconds is None else _duration(float(seconds))

    @admin.action(description="Cancel", permissions=["act"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Stop after the batch in hand; what is done stays done."""
        self._each(request, queryset, jobs.cancel, "cancelled")

    @admin.action(description="Resume", permissions=["act"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Job]) -> None:
        """Go on where it stopped."""
        self._each(request, queryset, jobs.resume, "resumed")

    def _each(self, request: HttpRequest, queryset: QuerySet[Job], verb: Any, past: str) -> None:
        done = 0
        for job in queryset:
            try:
                verb(job)
                done += 1
            except ShopvisionError as error:
                messages.error(request, f"{job}: {error}")
        if done:
            messages.success(request, f"{done} job(s) {past}.")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with a button for each kind of job."""
        context = {"kinds": jobs.KINDS, "may_start": self.may_act(request), **(extra_context or {})}
        response = super().changelist_view(request, context)
        if request.method == "GET" and Job.objects.filter(state__in=ACTIVE).exists():
            response["Refresh"] = str(REFRESH_SECONDS)
        return response

    def get_urls(self) -> list[URLPattern]:
        """Adds the page that starts a job."""
        page = self.admin_site.admin_view(self.start_view)
        return [path("start/<slug:kind>/", page, name="shopvision_job_start"), *super().get_urls()]

    def start_view(self, request: HttpRequest, kind: str) -> HttpResponse:
        """Says what the job will do and how long it takes; starts it when confirmed."""
        if not self.may_act(request):
            raise PermissionDenied
        back = reverse("admin:shopvision_job_changelist")
        if kind not in jobs.KINDS:
            messages.error(request, f"There is no job called {kind!r}.")
            return HttpResponseRedirect(back)
        if request.method == "POST":
            jobs.start(kind, {}, request.user)
            messages.success(request, f"{kind} is queued; this list shows its progress.")
            return HttpResponseRedirect(back)
        estimate = jobs.estimate(kind, {})
        context = {
            **self.admin_site.each_context(request),
            "title": f"Start: {kind}",
            "opts": self.opts,
            "words": jobs.KINDS[kind].words,
            "estimate": estimate,
            "duration": _duration(float(estimate.get("seconds") or 0)),
        }
        return TemplateResponse(request, "admin/shopvision/job_start.html", context)


def _duration(seconds: float) -> str:
    """Seconds in words: "40 s", "3 min", "2.5 h"."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
