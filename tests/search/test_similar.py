from __future__ import annotations

import uuid
from typing import Any

import pytest

from shopvision import listings
from shopvision.exceptions import InvalidRequest
from shopvision.indexing.write import drain_outbox
from tests.factories import ArticleFactory

from .asking import titles

pytestmark = pytest.mark.django_db


def test_similar_products_leave_out_the_product_and_its_variants(live_release: Any) -> None:
    master = ArticleFactory(views=2)
    ArticleFactory(views=1, master=master)
    other = ArticleFactory(views=1)
    sold_out = ArticleFactory(views=1, units_left=0)
    drain_outbox()
    ref = listings.ProductRef("testshop.article", str(master.pk))
    assert set(titles(listings.similar_products(ref))) == {other.headline, sold_out.headline}
    assert titles(listings.similar_products(ref, alternatives=True)) == [other.headline]
    with pytest.raises(InvalidRequest) as error:
        listings.similar_products(listings.ProductRef("testshop.article", str(uuid.uuid4())))
    assert error.value.code == "not_found"
