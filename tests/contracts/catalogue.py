"""What every catalogue adapter must do; a shop's test module inherits it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from shopvision.catalogue.adapter import Catalogue


class CatalogueContract:
    """Set ``shop`` to the adapter and ``make`` to create a product with two photos."""

    def shop(self) -> Catalogue:
        raise AssertionError("a shop says which adapter it has")

    def make(self, **values: Any) -> Any:
        raise AssertionError("a shop says how a product is made")

    @pytest.mark.django_db
    def test_a_product_comes_back_by_its_key(self) -> None:
        product = self.make()
        shop = self.shop()
        assert shop.get(shop.object_id(product)) == product
        assert shop.get_many([shop.object_id(product), "no key"]) == {shop.object_id(product): product}
        assert shop.existing([shop.object_id(product)]) == [shop.object_id(product)]

    @pytest.mark.django_db
    @pytest.mark.parametrize("key", ["", "nonsense", "0", "-1", "\0", "99999999999999999999999", "é" * 300])
    def test_a_key_the_shop_does_not_have_gives_none(self, key: str) -> None:
        assert self.shop().get(key) is None
        assert self.shop().get_many([key]) == {}

    @pytest.mark.django_db
    def test_photos_come_in_order_and_open_through_their_storage(self) -> None:
        files = self.shop().image_files(self.make())
        assert len(files) == 2
        for file in files:
            with file.storage.open(file.name) as stream:
                assert stream.read(2) == b"\xff\xd8"

    @pytest.mark.django_db
    def test_facts_are_plain_and_complete(self) -> None:
        facts = self.shop().facts(self.make())
        assert facts.title
        assert facts.text == facts.text.lower()
        assert facts.price is not None
        assert facts.in_stock is True
        assert facts.group.startswith(self.shop().source)

    @pytest.mark.django_db
    def test_many_products_cost_as_many_queries_as_few(self) -> None:
        shop = self.shop()

        def queries(count: int) -> int:
            with CaptureQueriesContext(connection) as found:
                for product in shop.queryset()[:count]:
                    shop.facts(product)
                    shop.image_files(product)
            return len(found)

        for _ in range(6):
            self.make()
        assert queries(6) == queries(2)

    @pytest.mark.django_db
    def test_every_name_of_the_adapter_resolves(self) -> None:
        assert self.shop().problems() == []
