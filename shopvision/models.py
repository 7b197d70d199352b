"""Every table, imported from the package that owns it."""

from .catalogue.models import CatalogueEntry, CatalogueImage, Outbox, Overview
from .classification.models import ClassifierRelease, DatasetSnapshot, Decision, Prediction
from .events.models import Event, ProductCount
from .index.models import Artefact, Descriptor, Embedding, EncoderRelease
from .indexing.models import Reading
from .jobs import Job, JobError, JobItem, Worker
from .privacy.models import ConsentRecord, ErasedSubject, PrivacyLog
from .ranking.models import Experiment, ExperimentCount, KnowledgeSnapshot, RankerRelease
from .search.models import Demand, StoredSearch
from .tuning.models import PhotoQuery

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
    "Experiment",
    "ExperimentCount",
    "Job",
    "JobError",
    "JobItem",
    "KnowledgeSnapshot",
    "Outbox",
    "Overview",
    "PhotoQuery",
    "Prediction",
    "PrivacyLog",
    "ProductCount",
    "RankerRelease",
    "Reading",
    "StoredSearch",
    "Worker",
]
