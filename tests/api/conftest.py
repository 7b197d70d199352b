"""A listing backend that remembers what it was asked, in place of the real journeys."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.core.cache import cache

from shopvision import listings
from shopvision.exceptions import InvalidRequest
from shopvision.images.decode import decode
from shopvision.types import Hit, Listing, Match, ProductRef, Region

SEARCH = "/vision/api/v1/search/"


def hit(number: int) -> Hit:
    facts = {
        "title": f"Shoe {number}",
        "url": f"/p/{number}/",
        "image": f"/media/{number}.jpg",
        "price": Decimal("49.00"),
        "in_stock": True,
    }
    return Hit(
        ProductRef("shop.product", str(number)),
        similarity=0.83333,
        percentile=99.74,
        image=f"{number}.jpg",
        why=("same shape", "same colour: navy"),
        region=Region(0.2, 0.1, 0.8, 0.9),
        facts=facts,
    )


class Backend:
    """Ten shoes; every call's arguments in ``calls``; ``fails`` is raised instead of an answer."""

    def __init__(self) -> None:
        self.id = str(uuid.UUID(int=7))
        self.calls: list[dict[str, Any]] = []
        self.fails: Exception | None = None
        self.gone = False
        self.decodes = False

    def listing(self, offset: int, limit: int) -> Listing:
        return Listing(
            id=self.id,
            hits=tuple(hit(n) for n in range(10)[offset : offset + limit]),
            count=10,
            match=Match("strong", 0.91234),
            query={"category": {"id": "12", "name": "Shoes", "probability": 0.9, "source": "predicted"}},
            facets={"category": [{"id": "12", "name": "Shoes", "count": 10}]},
            encoder="lite0@7",
            index={"as_of": "2026-11-24T02:30:11Z", "size": 10},
            took_ms=43.21,
            timings={"encode": 12.345},
        )

    def search_by_photo(self, data: bytes, **asked: Any) -> Listing:
        if self.decodes:
            decode(data)
        return self._answer({"data": data, **asked}, 0, asked["limit"])

    def similar_products(self, ref: ProductRef, **asked: Any) -> Listing:
        return self._answer({"ref": ref, **asked}, 0, asked["limit"])

    def stored_page(self, id: str, offset: int, limit: int, context: Any) -> Listing:
        return self._answer({"id": id, "offset": offset}, offset, limit)

    def forget(self, id: str) -> None:
        self._answer({"forget": id}, 0, 1)
        self.gone = True

    def _answer(self, call: dict[str, Any], offset: int, limit: int) -> Listing:
        self.calls.append(call)
        if self.fails:
            raise self.fails
        if self.gone or call.get("id", self.id) != self.id:
            raise InvalidRequest("there is no such search, or it has expired", code="not_found")
        return self.listing(offset, limit)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    made = Backend()
    for name in ("search_by_photo", "similar_products", "stored_page", "forget"):
        monkeypatch.setattr(listings, name, getattr(made, name))
    return made


@pytest.fixture(autouse=True)
def fresh_throttles() -> None:
    cache.clear()
