"""What is usual in a shop that nothing was fitted for."""

from __future__ import annotations

from typing import Any

import pytest

from shopvision import listings
from shopvision.index.models import EncoderRelease
from shopvision.indexing import encoder_releases
from shopvision.indexing.pipeline import drain_outbox
from shopvision.jobs import periodic
from shopvision.tuning.tuner import measure_generic
from tests.drawing import photo_file
from tests.factories import DemoProductFactory, demo_ref

pytestmark = pytest.mark.django_db


def own_bytes(product: Any) -> bytes:
    with product.image.open("rb") as file:
        return bytes(file.read())


def test_a_later_page_of_similar_products_says_why_too(indexed_shop: list[Any]) -> None:
    twin = DemoProductFactory(image=photo_file(5))
    DemoProductFactory(image=photo_file(5, view=1))
    drain_outbox()
    measure_generic()
    whole = listings.similar_products(demo_ref(twin), limit=13)
    assert any(hit.why for hit in whole.hits[1:])
    first = listings.similar_products(demo_ref(twin), limit=1)
    later = listings.stored_page(first.id, offset=1, limit=12)
    assert [hit.why for hit in later.hits] == [hit.why for hit in whole.hits[1:]]


def test_a_shop_too_small_to_tune_knows_what_is_usual_in_it(live_release: Any) -> None:
    products = DemoProductFactory.create_batch(4)
    turn = (periodic.Clock(), "command", lambda: False, periodic.run_jobs)
    periodic.turn(*turn)
    assert {hit.percentile for hit in listings.search_by_photo(own_bytes(products[0])).hits} == {None}
    products += DemoProductFactory.create_batch(2)
    periodic.turn(*turn)
    for product in products:
        hits = listings.search_by_photo(own_bytes(product)).hits
        assert hits[0].percentile > 99
        assert "same shape" in hits[0].why
        assert all(0 <= hit.percentile <= 100 for hit in hits[1:])
        assert len({hit.percentile for hit in hits}) > 1
    assert not measure_generic()


def test_a_background_measured_elsewhere_is_noticed(indexed_shop: list[Any]) -> None:
    EncoderRelease.objects.filter(state="live").update(background={"quantiles": [1.0] * 120})
    encoder_releases._seen.checked = float("-inf")
    assert encoder_releases.live().row.background["quantiles"][0] == 1.0
