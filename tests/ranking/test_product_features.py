from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from demo_shop.models import Category
from shopvision import metrics
from shopvision.catalogue.adapter import Catalogue
from shopvision.catalogue.models import CatalogueEntry
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.pipeline import drain_outbox
from shopvision.ranking import product_features
from shopvision.ranking.product_features import ages_days
from shopvision.types import ProductRef
from tests.factories import DemoProductFactory, demo_ref

pytestmark = pytest.mark.django_db


class Users(Catalogue):
    added = "date_joined"


class Wrong(Catalogue):
    added = "get_full_name"


def test_ages_are_days_since_the_field_says() -> None:
    now = timezone.now()
    old = User.objects.create(username="old", date_joined=now - timedelta(days=2, hours=12))
    future = User.objects.create(username="future", date_joined=now + timedelta(days=1))
    found = ages_days(Users(User), [str(old.pk), str(future.pk), "424242", "x"])
    assert found == {str(old.pk): pytest.approx(2.5, abs=0.01), str(future.pk): 0.0}


def test_dates_and_naive_times_are_taken(settings: Any) -> None:
    settings.USE_TZ = False
    User.objects.create(username="one", date_joined=timezone.now().replace(tzinfo=None))
    (days,) = ages_days(Users(User), [str(User.objects.get().pk)]).values()
    assert 0 <= days < 1


def test_without_a_field_there_is_no_age() -> None:
    one = User.objects.create(username="one")
    assert ages_days(Catalogue(User), [str(one.pk)]) == {}
    assert ages_days(Wrong(User), [str(one.pk)]) == {}
    assert metrics.snapshot()["counters"]["added_failed"] >= 1


pytestmark = pytest.mark.django_db


def test_facts_come_in_the_order_asked_for_and_gaps_are_said(live_release: LiveRelease) -> None:
    lamps = Category.objects.create(name="Lamps", slug="lamps")
    a, b = DemoProductFactory(price="7.50", category=lamps), DemoProductFactory(stock=0, image="")
    drain_outbox()
    nobody = ProductRef("demo_shop.product", "999999")
    found = product_features.shelf_of([demo_ref(b), nobody, demo_ref(a), demo_ref(a)], live_release)
    assert found.prices.tolist() == [10.0, pytest.approx(np.nan, nan_ok=True), 7.5, 7.5]
    assert found.in_stock.tolist() == [False, True, True, True]
    assert found.names == ("", "", "Lamps", "Lamps")
    assert (found.categories[0], found.categories[2]) == (-1, found.categories[3])
    assert found.looks is not None
    assert np.linalg.norm(found.looks, axis=1).round(2).tolist() == [0, 0, 1, 1]
    assert product_features.shelf_of([demo_ref(a)], None).looks is None


def test_a_listing_asked_for_again_costs_no_query_and_new_products_are_looked_for(
    live_release: LiveRelease, settings: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(product_features, "kept", product_features.Kept())
    made = DemoProductFactory.create_batch(3)
    drain_outbox()
    settings.SHOPVISION = {**settings.SHOPVISION, "ENGINE": "thread"}
    refs = [demo_ref(one) for one in made]
    first = product_features.shelf_of(refs, live_release)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        again = product_features.shelf_of(refs[::-1], live_release)
    assert len(queries) == 0
    assert again.entries.tolist() == first.entries.tolist()[::-1]
    late = ProductRef("demo_shop.product", "424242")
    assert product_features.shelf_of([late], live_release).entries.tolist() == [-1]
    CatalogueEntry.objects.create(source=late.source, object_id=late.object_id, group="g")
    assert product_features.shelf_of([late], live_release).entries.tolist() != [-1]


def test_what_is_kept_grows_old_and_stays_few() -> None:
    fact = product_features.UNKNOWN._replace(look=np.ones(2, np.float32))
    refs = [ProductRef("a.b", str(number)) for number in range(5)]
    kept = product_features.Kept(seconds=60, most=4)
    kept.put("release", dict.fromkeys(refs[:3], fact))
    assert set(kept.get("release", refs)) == set(refs[:3])
    assert kept.get("another", refs) == {}
    kept.put("release", dict.fromkeys(refs[3:], fact))
    assert set(kept.get("release", refs)) == set(refs[3:])
    kept.seconds = -1
    assert kept.get("release", refs) == {}
    kept.put("release", {refs[0]: product_features.UNKNOWN})
