"""One file per page group."""

from .catalogue import CatalogueEntryAdmin, CatalogueImageAdmin, OutboxAdmin
from .demand import DemandAdmin
from .events import EventAdmin
from .jobs import JobAdmin
from .overview import OverviewAdmin
from .privacy import PrivacyLogAdmin
from .releases import EncoderReleaseAdmin

__all__ = [
    "CatalogueEntryAdmin",
    "CatalogueImageAdmin",
    "DemandAdmin",
    "EncoderReleaseAdmin",
    "EventAdmin",
    "JobAdmin",
    "OutboxAdmin",
    "OverviewAdmin",
    "PrivacyLogAdmin",
]
