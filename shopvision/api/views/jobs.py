"""List, start, cancel, resume and undo jobs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ... import jobs
from ...exceptions import InvalidRequest
from ...jobs import Job
from ...messages import translated, translated_data
from ..cursors import page
from ..permissions import CHANGE_JOB, VIEW_JOB, require
from ..schema import described, errors
from ..serializers_jobs import (
    JobDetailAnswer,
    JobRequest,
    JobsAnswer,
    JobsRequest,
    job_params,
)
from .base import WorkView, checked

ID = OpenApiParameter(
    "id", {"type": "string", "format": "uuid"}, OpenApiParameter.PATH, description="a job's"
)
ERRORS_SHOWN = 100
SHOWN = (
    "id", "kind", "state", "params", "total", "done", "failed", "message", "estimate", "created_at", "started_at",
    "finished_at",
)  # fmt: skip
HIDDEN = "found"  # lists in a result that have an endpoint of their own


def may_start(user: Any, kind: str) -> bool:
    """Who may start jobs of a kind also looks at those they started, cancels and resumes them."""
    return kind in jobs.KINDS and bool(user.has_perm(jobs.KINDS[kind].permission))


class JobsPermissions:
    """Permissions that open a view, by method; asked anew each time, since packages register their kinds."""

    def __init__(self, allowed: Callable[[], Iterable[str]]) -> None:
        self.allowed = allowed

    def __get__(self, view: Any, owner: Any = None) -> dict[str, tuple[str, ...]]:
        """At least one of them is needed."""
        some = tuple(dict.fromkeys(self.allowed()))
        return {"GET": some, "POST": some}


def working() -> Iterator[str]:
    """To see or change any job, or to start those of some kind."""
    yield from (VIEW_JOB, CHANGE_JOB)
    yield from (kind.permission for kind in jobs.KINDS.values())


def undoing() -> Iterator[str]:
    """To start a job that undoes another."""
    yield from (jobs.KINDS[kind.undone_by].permission for kind in jobs.KINDS.values() if kind.undone_by)


class JobsView(WorkView):
    """All jobs."""

    needs = JobsPermissions(working)

    @described(
        operation_id="jobs",
        staff=True,
        parameters=[JobsRequest],
        responses={200: JobsAnswer, **errors(400, 401, 403, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        """Jobs, newest first; one's own alone without the permission to view all."""
        given = checked(JobsRequest, request.query_params.dict()).validated_data
        rows = visible(request)
        for name in ("kind", "state"):
            rows = rows.filter(**{name: given[name]}) if name in given else rows
        return Response(page(rows, ("created_at", "id"), given, plain, reverse("shopvision:jobs")))

    @described(
        operation_id="job_start",
        staff=True,
        request=JobRequest,
        responses={202: JobDetailAnswer, **errors(400, 401, 403, 404, 409, 413, 415, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        """Start a job; if the same one is queued or running already, that one is answered."""
        given = checked(JobRequest, request.data).validated_data
        kind = given["kind"]
        require(request, jobs.KINDS[kind].permission)
        try:
            params = job_params(kind, given["params"])
        except ValidationError as error:
            raise ValidationError({"params": error.detail}) from error
        return accepted(started(request, kind, params))


class JobView(WorkView):
    """One job."""

    needs = JobsPermissions(working)

    @described(
        operation_id="job",
        staff=True,
        parameters=[ID],
        responses={200: JobDetailAnswer, **errors(401, 403, 404, 429, 503)},
    )
    def get(self, request: Request, id: str) -> Response:
        """How far it is, what it gave and what failed."""
        return Response(detail(find(request, id)))


class JobVerbView(WorkView):
    """Something done to a job; 409 where its state does not allow it."""

    needs = JobsPermissions(working)

    def change(self, request: Request, id: str, verb: Any) -> Response:
        """Do it, as who may change jobs or who started this one."""
        job = find(request, id)
        if job.created_by_id != request.user.pk or not may_start(request.user, job.kind):
            require(request, CHANGE_JOB)
        job = verb(job)
        return accepted(job)


VERB_ANSWERS = {202: JobDetailAnswer, **errors(401, 403, 404, 409, 413, 415, 429, 503)}


class JobCancelView(JobVerbView):
    """Stop a job."""

    @described(operation_id="job_cancel", staff=True, request=None, parameters=[ID], responses=VERB_ANSWERS)
    def post(self, request: Request, id: str) -> Response:
        """Stop it after the batch in hand; what is done stays done."""
        return self.change(request, id, jobs.cancel)


class JobResumeView(JobVerbView):
    """Go on with a job."""

    @described(operation_id="job_resume", staff=True, request=None, parameters=[ID], responses=VERB_ANSWERS)
    def post(self, request: Request, id: str) -> Response:
        """Go on where a cancelled or failed job stopped."""
        return self.change(request, id, jobs.resume)


class JobUndoView(WorkView):
    """Take back what a job applied."""

    needs = JobsPermissions(undoing)

    @described(operation_id="job_undo", staff=True, request=None, parameters=[ID], responses=VERB_ANSWERS)
    def post(self, request: Request, id: str) -> Response:
        """Start the job that gives products the labels they had before; those changed since are left."""
        job = find(request, id)
        by = jobs.kind_of(job.kind).undone_by
        if not by:
            raise InvalidRequest("kind_cannot_be_undone", code="conflict", kind=job.kind)
        require(request, jobs.kind_of(by).permission)
        return accepted(started(request, by, {"job": str(job.pk)}))


def visible(request: Request) -> QuerySet[Job]:
    """The jobs this person may look at."""
    if request.user.has_perm(VIEW_JOB) or request.user.has_perm(CHANGE_JOB):
        return Job.objects.all()
    return Job.objects.filter(created_by=request.user.pk)


def find(request: Request, id: str) -> Job:
    """The job.

    Raises:
        InvalidRequest: ``not_found``: there is none, or none this person may look at.
    """
    try:
        job = visible(request).filter(pk=uuid.UUID(id)).first()
    except ValueError:
        job = None
    if job is None:
        raise InvalidRequest("job_not_found", code="not_found", id=id)
    return job


def started(request: Request, kind: str, params: dict[str, Any]) -> Job:
    """Queue the job; its commit wakes a worker.

    Raises:
        InvalidRequest: it cannot be started; the code says why.
        PermissionDenied: a parameter takes a permission that this person has not.
    """
    for name, param in jobs.kind_of(kind).params.items():
        if param.permission and params.get(name) is not None:
            require(request, param.permission)
    job = jobs.start(kind, params, request.user)
    job.refresh_from_db()
    return job


def plain(job: Job) -> dict[str, Any]:
    """A job as JSON."""
    shown = {name: getattr(job, name) for name in SHOWN} | {"message": translated(job.message)}
    result = {key: value for key, value in job.result.items() if key != HIDDEN}
    shown["result"] = result
    return {name: translated_data(value) for name, value in shown.items()}


def detail(job: Job) -> dict[str, Any]:
    """A job with its latest errors as JSON."""
    rows = job.errors.order_by("-created_at", "pk").values("item", "message")[:ERRORS_SHOWN]
    return {**plain(job), "errors": [{**row, "message": translated(row["message"])} for row in rows]}


def accepted(job: Job) -> Response:
    """202, with where to look how far it is."""
    where = reverse("shopvision:job", args=[job.pk])
    return Response(detail(job), status=202, headers={"Location": where})
