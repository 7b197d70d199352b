"""One file per page group."""

from .catalogue import CatalogueEntryAdmin, CatalogueImageAdmin, OutboxAdmin
from .classifiers import ClassifierReleaseAdmin
from .classify import shopvision_classify
from .decisions import DecisionAdmin
from .demand import DemandAdmin
from .jobs import JobAdmin
from .overview import OverviewAdmin
from .predictions import PredictionAdmin
from .releases import EncoderReleaseAdmin

__all__ = [
    "CatalogueEntryAdmin",
    "CatalogueImageAdmin",
    "ClassifierReleaseAdmin",
    "DecisionAdmin",
    "DemandAdmin",
    "EncoderReleaseAdmin",
    "JobAdmin",
    "OutboxAdmin",
    "OverviewAdmin",
    "PredictionAdmin",
    "shopvision_classify",
]
