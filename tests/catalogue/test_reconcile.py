from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from demo_shop.models import Product
from shopvision.catalogue import reconcile as module
from shopvision.catalogue.models import Outbox
from shopvision.catalogue.reconcile import drift, reconcile
from shopvision.indexing.write import drain_outbox
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
