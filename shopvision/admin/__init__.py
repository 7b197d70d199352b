"""One file per page group."""

from .catalogue import CatalogueEntryAdmin, CatalogueImageAdmin, OutboxAdmin
from .classifiers import ClassifierReleaseAdmin
from .classify import shopvision_classify
from .decisions import DecisionAdmin
from .demand import DemandAdmin
from .events import EventAdmin
from .experiments import ExperimentAdmin
from .jobs import JobAdmin
from .overview import OverviewAdmin
from .predictions import PredictionAdmin
from .privacy import PrivacyLogAdmin
from .rankers import RankerReleaseAdmin
from .releases import EncoderReleaseAdmin

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
