from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError

from demo_shop.models import Product
from shopvision import listings, timestamps
from shopvision.exceptions import InvalidRequest
from shopvision.search import search_session
from shopvision.search.models import StoredSearch
from shopvision.types import Filter
from tests.drawing import jpeg
from tests.factories import demo_ref
from tests.search.asking import own_bytes

pytestmark = pytest.mark.django_db


def test_pages_agree_and_a_product_hidden_meanwhile_keeps_its_place(indexed_shop: list[Any]) -> None:
    first = listings.search_by_photo(own_bytes(indexed_shop[0]), limit=5)
    assert first.count == 12
    second = listings.stored_page(first.id, offset=5, limit=5)
    third = listings.stored_page(first.id, offset=10, limit=5)
    seen = [hit.product for page in (first, second, third) for hit in page.hits]
    assert sorted(seen) == sorted(demo_ref(p) for p in indexed_shop)
    gone = second.hits[0].product
    Product.objects.filter(pk=gone.object_id).update(active=False)
    again = listings.stored_page(first.id, offset=5, limit=5)
    assert [hit.product for hit in again.hits] == [hit.product for hit in second.hits[1:]]


def test_a_later_page_leaves_out_what_no_longer_passes_the_filter(indexed_shop: list[Any]) -> None:
    where = Filter(price_max=Decimal("10.00"), in_stock=True)
    first = listings.search_by_photo(own_bytes(indexed_shop[0]), limit=5, where=where)
    second = [hit.product for hit in listings.stored_page(first.id, offset=5, limit=5).hits]
    Product.objects.filter(pk=second[0].object_id).update(stock=0)
    Product.objects.filter(pk=second[1].object_id).update(price=Decimal("10.01"))
    again = listings.stored_page(first.id, offset=5, limit=5)
    assert [hit.product for hit in again.hits] == second[2:]


def test_a_search_is_forgotten_and_expires(indexed_shop: list[Any]) -> None:
    found = listings.search_by_photo(jpeg(1))
    listings.forget(found.id)
    other = listings.search_by_photo(jpeg(1))
    StoredSearch.objects.update(created_at=timestamps.from_seconds(0))
    for one in (found.id, other.id, "nonsense"):
        with pytest.raises(InvalidRequest) as error:
            listings.stored_page(one, offset=0, limit=5)
        assert error.value.code == "not_found"


def test_nothing_of_the_photo_is_kept(indexed_shop: list[Any]) -> None:
    listings.search_by_photo(jpeg(4242))
    payload = StoredSearch.objects.get().payload
    assert set(payload) == {"hits", "match", "query", "facets", "encoder", "index", "where"}
    assert payload["query"]["stored"] is False


def test_a_database_that_will_not_take_the_search_does_not_stop_the_answer(
    indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("database is locked")

    monkeypatch.setattr(search_session.StoredSearch.objects, "create", locked)
    found = listings.search_by_photo(own_bytes(indexed_shop[0]), limit=5)
    assert len(found.hits) == found.count == 5
