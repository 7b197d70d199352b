"""Every table, imported from the package that owns it."""

from .catalogue.models import CatalogueEntry, CatalogueImage, Outbox, Overview
from .classification.models import ClassifierRelease, DatasetSnapshot, Decision, Prediction
from .index.models import Artefact, Descriptor, Embedding, EncoderRelease
from .jobs import Job, JobError, Worker
from .search.models import Demand, Reading, StoredSearch

__all__ = [
    "Artefact",
    "CatalogueEntry",
    "CatalogueImage",
    "ClassifierRelease",
    "DatasetSnapshot",
    "Decision",
    "Demand",
    "Descriptor",
    "Embedding",
    "EncoderRelease",
    "Job",
    "JobError",
    "Outbox",
    "Overview",
    "Prediction",
    "Reading",
    "StoredSearch",
    "Worker",
]
