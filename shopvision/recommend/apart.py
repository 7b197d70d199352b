"""apart: what fails within it leaves the shop's own transaction usable."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import connections, router, transaction

from ..catalogue.models import CatalogueEntry


def apart() -> AbstractContextManager[Any]:
    """A savepoint where the shop's view runs in a transaction; outside one, where each query stands alone, nothing."""
    using = router.db_for_read(CatalogueEntry)
    return transaction.atomic(using=using) if connections[using].in_atomic_block else nullcontext()
