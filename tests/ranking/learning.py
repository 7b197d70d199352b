"""A catalogue without photos, and what made-up visitors did with it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.utils import timezone

from shopvision.catalogue.models import CatalogueEntry
from shopvision.events.models import Event
from shopvision.events.record import NewEvent
from shopvision.privacy.consent import BITS
from shopvision.types import ProductRef

SOURCE = "demo_shop.product"


def catalogue(count: int = 120, shelves: int = 6) -> list[ProductRef]:
    """Products of some shelves, each with words of its own and of its shelf."""
    CatalogueEntry.objects.bulk_create(
        CatalogueEntry(
            source=SOURCE,
            object_id=str(number),
            group=f"{SOURCE}:{number}",
            title=f"thing {number}",
            text=f"thing {number} shelf{number % shelves} word{number % 17}",
            categories=[{"id": str(number % shelves), "name": f"shelf {number % shelves}", "ancestors": []}],
            price=Decimal(5 + number % 40),
        )
        for number in range(1, count + 1)
    )
    return [ProductRef(SOURCE, str(number)) for number in range(1, count + 1)]


def did(subject: str, product: ProductRef, kind: str = "view", **values: Any) -> Event:
    """An event row as the writer leaves it."""
    given: dict[str, Any] = {"purposes": BITS["improvement"], "at": timezone.now(), "session": "v", **values}
    key = NewEvent(kind, product).key
    return Event.objects.create(key=key, kind=kind, subject=subject, product=str(product), **given)
