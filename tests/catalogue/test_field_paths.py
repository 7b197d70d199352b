from __future__ import annotations

import uuid

import pytest

from demo_shop.models import Product
from shopvision.catalogue.field_paths import with_keys
from tests.factories import ArticleFactory, DemoProductFactory
from tests.testshop.models import Article


@pytest.mark.django_db
def test_rows_are_found_by_whole_numbers_and_by_other_keys(data_dir: object) -> None:
    products, article = [DemoProductFactory() for _ in range(3)], ArticleFactory()
    wanted = [one.pk for one in products[:2]]
    assert set(with_keys(Product.objects.all(), [*wanted, 10**6])) == set(products[:2])
    assert list(with_keys(Article.objects.all(), [article.pk, uuid.uuid4()])) == [article]
    assert not with_keys(Product.objects.all(), []).exists()


def test_text_never_becomes_part_of_a_statement() -> None:
    sql, params = with_keys(Product.objects.all(), [True, 2]).query.sql_with_params()
    assert sql.count("%s") == len(params) == 2
