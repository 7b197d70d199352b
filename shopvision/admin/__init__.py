"""The Django admin of shopvision: one module per group of pages."""

from .catalogue import CatalogueEntryAdmin, CatalogueImageAdmin, OutboxAdmin
from .classifiers import ClassifierReleaseAdmin
from .classify import shopvision_classify
from .encoder_releases import EncoderReleaseAdmin
from .experiments import ExperimentAdmin
from .job_pages import JobAdmin
from .overview import DemandAdmin, OverviewAdmin
from .predictions import DecisionAdmin, PredictionAdmin
from .privacy import EventAdmin, PrivacyLogAdmin
from .rankers import RankerReleaseAdmin

__all__ = [
    "CatalogueEntryAdmin",
    "CatalogueImageAdmin",
    "ClassifierReleaseAdmin",
    "DecisionAdmin",
    "DemandAdmin",
    "EncoderReleaseAdmin",
    "EventAdmin",
    "ExperimentAdmin",
    "JobAdmin",
    "OutboxAdmin",
    "OverviewAdmin",
    "PredictionAdmin",
    "PrivacyLogAdmin",
    "RankerReleaseAdmin",
    "shopvision_classify",
]
