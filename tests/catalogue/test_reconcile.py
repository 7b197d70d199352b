from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from demo_shop.models import Category, Product
from shopvision import jobs
from shopvision.catalogue import outbox
from shopvision.catalogue import reconcile as module
from shopvision.catalogue.adapter import catalogue
from shopvision.catalogue.models import CatalogueEntry, Outbox
from shopvision.catalogue.reconcile import drift, reconcile
from shopvision.indexing.pipeline import drain_outbox
from tests.factories import DemoProductFactory, demo_ref

pytestmark = pytest.mark.django_db


def test_a_shop_in_step_has_no_drift(indexed_shop: list[Any]) -> None:
    assert drift().total == 0


def test_a_queryset_update_is_found(indexed_shop: list[Any]) -> None:
    Product.objects.filter(pk=indexed_shop[3].pk).update(price=Decimal("99.00"))
    assert drift().stale == [demo_ref(indexed_shop[3])]


def test_a_bulk_create_is_found(indexed_shop: list[Any]) -> None:
    (made,) = Product.objects.bulk_create([DemoProductFactory.build(sku="bulk")])
    assert drift().missing == [demo_ref(made)]


def test_raw_sql_is_found_both_ways(indexed_shop: list[Any]) -> None:
    gone = demo_ref(indexed_shop[0])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE demo_shop_product SET title = 'renamed' WHERE id = %s", [indexed_shop[1].pk])
        cursor.execute("DELETE FROM demo_shop_product WHERE id = %s", [indexed_shop[0].pk])
    found = drift()
    assert found.stale == [demo_ref(indexed_shop[1])]
    assert found.extra == [gone]


def test_reconciling_queues_the_difference_and_ends_at_zero(indexed_shop: list[Any]) -> None:
    Product.objects.filter(pk=indexed_shop[2].pk).update(title="another title")
    assert reconcile().total == 1
    assert Outbox.objects.count() == 1
    drain_outbox()
    assert drift().total == 0


def test_pages_meet_without_a_gap(indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 5)
    Product.objects.update(title="all changed")
    assert len(drift().stale) == 12


def test_a_product_whose_own_code_fails_hides_no_other(
    indexed_shop: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop's price property raises on one product: the others are compared, counted and estimated."""
    broken = indexed_shop[0].pk

    def price(self: Any, product: Any) -> Any:
        if product.pk == broken:
            raise RuntimeError("the shop's own code")
        return product.price

    monkeypatch.setattr(type(catalogue("demo_shop.product")), "price_of", price)
    monkeypatch.setattr(type(catalogue("demo_shop.product")), "image_files", files_but_of(broken))
    Product.objects.filter(pk=indexed_shop[3].pk).update(title="another")
    assert set(drift().stale) == {demo_ref(indexed_shop[0]), demo_ref(indexed_shop[3])}
    assert jobs.estimate("index_all")["products"] == 12


def files_but_of(broken: int) -> Any:
    def image_files(self: Any, product: Any) -> list[Any]:
        if product.pk == broken:
            raise RuntimeError("the shop's own code")
        return [product.image]

    return image_files


def test_what_is_queued_or_set_aside_is_not_queued_again(indexed_shop: list[Any]) -> None:
    Product.objects.filter(pk__in=[p.pk for p in indexed_shop[:3]]).update(title="another title")
    assert reconcile().total == reconcile().total == 3
    Outbox.objects.filter(object_id=indexed_shop[0].pk).update(state="poisoned")
    assert reconcile().total == 3
    assert Outbox.objects.count() == 3


def test_what_a_worker_holds_is_queued_again_for_it_may_have_looked_already(indexed_shop: list[Any]) -> None:
    Product.objects.filter(pk=indexed_shop[0].pk).update(title="another title")
    reconcile()
    outbox.claim(10)
    reconcile()
    assert Outbox.objects.count() == 2


def test_a_category_tree_is_climbed_once_a_page(live_release: Any) -> None:
    """Three levels, 20 products: two look-ups of a parent, not forty."""
    shelf = None
    for name in ("top", "middle", "bottom"):
        shelf = Category.objects.create(name=name, slug=name, parent=shelf)
    DemoProductFactory.create_batch(20, category=shelf)
    drain_outbox()
    with CaptureQueriesContext(connection) as found:
        assert drift().total == 0
    assert sum(' FROM "demo_shop_category"' in one["sql"] for one in found) == 2
    assert len(CatalogueEntry.objects.first().categories[0]["ancestors"]) == 2  # type: ignore[union-attr]
