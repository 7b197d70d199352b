"""Jobs: start, look, cancel, resume, undo."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ... import jobs
from ...classification import classifier_releases
from ...classification.apply import why_not_undoable
from ...classification.predict import threshold_of
from ...exceptions import InvalidRequest
from ...index.models import EncoderRelease
from ...jobs import Job
from ...messages import translated, translated_data
from ..cursors import page
from ..permissions import APPLY, CHANGE_JOB, CHANGE_RELEASE, CLASSIFY, TRAIN, VIEW_JOB, require
from ..schema import described, errors
from ..serializers_jobs import (
    Chosen,
    JobDetailAnswer,
    JobRequest,
    JobsAnswer,
    JobsRequest,
    PromoteParams,
    TrainParams,
    UndoParams,
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
STARTS = {"classify": (CLASSIFY,), "train": (TRAIN,), "undo": (APPLY,), "promote": (CHANGE_RELEASE,)}
"""Who may start these kinds, look at those they started, cancel and resume them; others take CHANGE_JOB."""
WORKERS = (VIEW_JOB, CHANGE_JOB, CLASSIFY, TRAIN, APPLY, CHANGE_RELEASE)


class JobsView(WorkView):
    """All jobs."""

    needs = {"GET": WORKERS, "POST": WORKERS}

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
        require(request, *STARTS.get(kind, (CHANGE_JOB,)))
        try:
            params = params_of(kind, given["params"])
        except ValidationError as error:
            raise ValidationError({"params": error.detail}) from error
        return accepted(started(request, kind, params))


class JobView(WorkView):
    """One job."""

    needs = {"GET": WORKERS}

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

    needs = {"POST": WORKERS}

    def change(self, request: Request, id: str, verb: Any) -> Response:
        """Do it, as who may change jobs or who started this one."""
        job = find(request, id)
        if job.created_by_id != request.user.pk or job.kind not in STARTS:
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

    needs = {"POST": (APPLY,)}

    @described(operation_id="job_undo", staff=True, request=None, parameters=[ID], responses=VERB_ANSWERS)
    def post(self, request: Request, id: str) -> Response:
        """Start the job that gives products the labels they had before; those changed since are left."""
        return accepted(started(request, "undo", {"job": str(find(request, id).pk)}))


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
        InvalidRequest: nothing to undo, no classifier to classify with, or no such release to promote.
        PermissionDenied: it would apply labels, and this person may not.
    """
    if params.get("acceptable_error") is not None:
        require(request, APPLY)
    if kind == "undo":
        _undoable(params["job"])
    if kind == "classify":
        _ready(params)
    if kind == "promote" and not EncoderRelease.objects.filter(pk=params["release"]).exists():
        raise InvalidRequest("encoder_release_not_found", code="not_found", release=params["release"])
    job = jobs.start(kind, params, request.user)
    job.refresh_from_db()
    return job


def _ready(params: dict[str, Any]) -> None:
    """A classifier is live, and it can keep the error that may be made."""
    live = classifier_releases.live(params["source"], params["target"])
    if live is None:
        raise InvalidRequest(
            "no_live_classifier_for_target",
            code="no_classifier",
            target=params["target"],
            source=params["source"],
        )
    error = params.get("acceptable_error")
    if error is not None and threshold_of(live, error) is None:
        raise InvalidRequest(
            "error_rate_out_of_reach", code="unreachable_error", live=live, error=f"{error:.0%}"
        )


def _undoable(id: str) -> None:
    job = Job.objects.filter(pk=id, kind="classify").first()
    if job is None:
        raise InvalidRequest("classify_job_not_found", code="not_found", id=id)
    if job.state in jobs.ACTIVE:
        raise InvalidRequest("job_not_finished", code="conflict", id=id, state=job.state)
    if why := why_not_undoable(job.pk):
        raise InvalidRequest("job_cannot_be_undone", code="conflict", id=id, why=why)


def params_of(kind: str, given: Any) -> dict[str, Any]:
    """The job's parameters, checked.

    Raises:
        ValidationError: what is wrong, field by field.
        InvalidRequest: this kind takes none.
    """
    if kind == "classify":
        return checked(Chosen, given).params()
    if kind == "train":
        return dict(checked(TrainParams, given).validated_data)
    if kind == "undo":
        return {"job": str(checked(UndoParams, given).validated_data["job"])}
    if kind == "promote":
        return dict(checked(PromoteParams, given).validated_data)
    if given:
        raise InvalidRequest("job_takes_no_params", kind=kind)
    return {}


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
