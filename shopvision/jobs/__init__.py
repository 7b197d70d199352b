"""Long work: models, registration, estimate, progress, engine, periodic work."""

from .heartbeat import good_bye, here_i_am, workers_alive
from .models import Job, JobError, JobItem, Worker
from .registration import (
    KINDS,
    Kind,
    Param,
    after,
    answer,
    autodiscover,
    every,
    kind_of,
    prepare_gpu_worker,
    register,
    work_off_changes,
)
from .runner import ACTIVE, cancel, estimate, impossible, resume, run, run_waiting, start, waiting

__all__ = [
    "ACTIVE",
    "KINDS",
    "Job",
    "JobError",
    "JobItem",
    "Kind",
    "Param",
    "Worker",
    "after",
    "answer",
    "autodiscover",
    "cancel",
    "estimate",
    "every",
    "good_bye",
    "here_i_am",
    "impossible",
    "kind_of",
    "prepare_gpu_worker",
    "register",
    "resume",
    "run",
    "run_waiting",
    "start",
    "waiting",
    "work_off_changes",
    "workers_alive",
]
