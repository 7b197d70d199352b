from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from demo_shop import art, seed
from demo_shop.importer import import_items, read_folder
from demo_shop.models import Product
from shopvision.management.sandbox import read_products
from tests.drawing import jpeg
from tests.factories import DemoProductFactory

ROWS = (
    ("A1", "帽子", "女装 > 帽子", "19999999999.50", "one.jpg", "one.jpg|missing.jpg"),
    ("A2", "Two", "", "abc", "two.jpg", ""),
    ("A2", "the same sku", "", "-5", "two.jpg", ""),
    ("A3", "no photo", "A > B > C", "NaN", "", ""),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue folder as strangers write them: prices of all kinds, a sku twice, photos that are missing."""
    for number, name in enumerate(("one.jpg", "two.jpg")):
        (tmp_path / name).write_bytes(jpeg(number))
    with (tmp_path / "products.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("sku", "title", "category", "price", "image", "photos"))
        writer.writerows(ROWS)
    return tmp_path


@pytest.mark.django_db
def test_the_demo_takes_a_strangers_folder(folder: Path, data_dir: Path) -> None:
    assert import_items(read_folder(folder)) == 3
    assert list(Product.objects.values_list("title", "price")) == [
        ("帽子", Decimal(0)),
        ("Two", Decimal(0)),
        ("no photo", Decimal(0)),
    ]


def test_an_evaluation_takes_a_strangers_folder(folder: Path) -> None:
    rows = read_products(folder)
    assert [(row.sku, row.price, len(row.photos)) for row in rows] == [
        ("A1", None, 1),
        ("A2", None, 1),
        ("A3", None, 0),
    ]


@pytest.mark.django_db
def test_what_is_in_the_shop_is_not_drawn_again(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = data_dir / "phone"
    photos.mkdir()
    for thing in art.things():
        DemoProductFactory(sku=seed._sku(thing), image="")
        (photos / f"{seed._sku(thing)}.jpg").write_bytes(b"drawn before")
    monkeypatch.delattr(seed, "ProcessPoolExecutor")
    new, queries = seed.seed_drawn(photos, lambda done, total: None)
    assert new == 0
    assert len(queries) == 14
