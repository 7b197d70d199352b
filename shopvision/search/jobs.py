"""Jobs and periodic work of search: find duplicates, purge stored searches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone

from .. import conf, jobs
from ..indexing.jobs import estimate_walk
from ..messages import Message
from ..types import Step
from .duplicates import find_duplicates
from .models import StoredSearch

PAIRS_KEPT = 1000  # some 250 bytes each
PURGE_SECONDS = 3600.0


def duplicates(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Find products that share a photo, or nearly; the surest pairs are kept in the job's result."""
    yield Step(message=Message("comparing_photos"))
    pairs = find_duplicates()
    kept = [pair.as_dict() for pair in pairs[:PAIRS_KEPT]]
    yield Step(result={"pairs": len(pairs), "found": kept})


def purge_searches() -> int:
    """Delete stored answers whose time is over; how many."""
    old = timezone.now() - timedelta(seconds=conf.SEARCH_TTL_SECONDS)
    return StoredSearch.objects.filter(created_at__lt=old).delete()[0]


jobs.register(
    "duplicates", steps=duplicates, estimate=estimate_walk, words="Find products that share a photo"
)
jobs.every("purge_searches", seconds=PURGE_SECONDS, run=purge_searches)
