"""Every table, imported from the package that owns it."""

from .catalogue.models import CatalogueEntry, CatalogueImage, Outbox, Overview
from .index.models import Artefact, Descriptor, Embedding, EncoderRelease
from .jobs import Job, Worker
from .search.models import Demand, StoredSearch

__all__ = [
    "Artefact",
    "CatalogueEntry",
    "CatalogueImage",
    "Demand",
    "Descriptor",
    "Embedding",
    "EncoderRelease",
    "Job",
    "Outbox",
    "Overview",
    "StoredSearch",
    "Worker",
]
