"""Every table, imported from the package that owns it."""

from .catalogue.models import CatalogueEntry, CatalogueImage, Outbox, Overview
from .classification.models import ClassifierRelease, DatasetSnapshot, Decision, Prediction
from .events.models import Event, ProductCount
from .index.models import Artefact, Descriptor, Embedding, EncoderRelease
from .jobs import Job, JobError, Worker
from .privacy.models import ConsentRecord, ErasedSubject, PrivacyLog
from .search.models import Demand, Reading, StoredSearch

__all__ = [
    "Artefact",
    "CatalogueEntry",
    "CatalogueImage",
    "ClassifierRelease",
    "ConsentRecord",
    "DatasetSnapshot",
    "Decision",
    "Demand",
    "Descriptor",
    "Embedding",
    "EncoderRelease",
    "ErasedSubject",
    "Event",
    "Job",
    "JobError",
    "Outbox",
    "Overview",
    "Prediction",
    "PrivacyLog",
    "ProductCount",
    "Reading",
    "StoredSearch",
    "Worker",
]
