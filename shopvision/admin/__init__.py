"""One file per page group."""

from .catalogue import CatalogueEntryAdmin, CatalogueImageAdmin, OutboxAdmin
from .demand import DemandAdmin
from .jobs import JobAdmin
from .overview import OverviewAdmin
from .releases import EncoderReleaseAdmin

__all__ = [
    "CatalogueEntryAdmin",
    "CatalogueImageAdmin",
    "DemandAdmin",
    "EncoderReleaseAdmin",
    "JobAdmin",
    "OutboxAdmin",
    "OverviewAdmin",
]
