from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from demo_shop.models import Category
from shopvision.catalogue.models import CatalogueEntry
from shopvision.indexing.releases import LiveRelease
from shopvision.indexing.write import drain_outbox
from shopvision.recommend import shelf
from shopvision.types import ProductRef
from tests.factories import DemoProductFactory, demo_ref

pytestmark = pytest.mark.django_db


def test_facts_come_in_the_order_asked_for_and_gaps_are_said(live_release: LiveRelease) -> None:
    lamps = Category.objects.create(name="Lamps", slug="lamps")
    a, b = DemoProductFactory(price="7.50", category=lamps), DemoProductFactory(stock=0, image="")
    drain_outbox()
    nobody = ProductRef("demo_shop.product", "999999")
    found = shelf.shelf_of([demo_ref(b), nobody, demo_ref(a), demo_ref(a)], live_release)
    assert found.prices.tolist() == [10.0, pytest.approx(np.nan, nan_ok=True), 7.5, 7.5]
    assert found.in_stock.tolist() == [False, True, True, True]
    assert found.names == ("", "", "Lamps", "Lamps")
    assert (found.categories[0], found.categories[2]) == (-1, found.categories[3])
    assert found.looks is not None
    assert np.linalg.norm(found.looks, axis=1).round(2).tolist() == [0, 0, 1, 1]
    assert shelf.shelf_of([demo_ref(a)], None).looks is None


def test_a_listing_asked_for_again_costs_no_query_and_new_products_are_looked_for(
    live_release: LiveRelease, settings: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(shelf, "kept", shelf.Kept())
    made = DemoProductFactory.create_batch(3)
    drain_outbox()
    settings.SHOPVISION = {**settings.SHOPVISION, "ENGINE": "thread"}
    refs = [demo_ref(one) for one in made]
    first = shelf.shelf_of(refs, live_release)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        again = shelf.shelf_of(refs[::-1], live_release)
    assert len(queries) == 0
    assert again.entries.tolist() == first.entries.tolist()[::-1]
    late = ProductRef("demo_shop.product", "424242")
    assert shelf.shelf_of([late], live_release).entries.tolist() == [-1]
    CatalogueEntry.objects.create(source=late.source, object_id=late.object_id, group="g")
    assert shelf.shelf_of([late], live_release).entries.tolist() != [-1]


def test_what_is_kept_grows_old_and_stays_few() -> None:
    fact = shelf.UNKNOWN._replace(look=np.ones(2, np.float32))
    refs = [ProductRef("a.b", str(number)) for number in range(5)]
    kept = shelf.Kept(seconds=60, most=4)
    kept.put("release", dict.fromkeys(refs[:3], fact))
    assert set(kept.get("release", refs)) == set(refs[:3])
    assert kept.get("another", refs) == {}
    kept.put("release", dict.fromkeys(refs[3:], fact))
    assert set(kept.get("release", refs)) == set(refs[3:])
    kept.seconds = -1
    assert kept.get("release", refs) == {}
    kept.put("release", {refs[0]: shelf.UNKNOWN})
