from __future__ import annotations

import csv
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest

from bench.catalogue_folder import read_products
from demo_shop import art, seed
from demo_shop.importer import import_items, read_folder
from demo_shop.management.commands import demo
from demo_shop.models import Product
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
    found = read_folder(folder)
    assert import_items(found.items) == 3
    assert found.skipped == [
        "products.csv, line 2: 'missing.jpg': there is no such file",
        "products.csv, line 4: sku 'A2' is that of line 3",
    ]
    assert list(Product.objects.values_list("title", "price")) == [
        ("帽子", Decimal(0)),
        ("Two", Decimal(0)),
        ("no photo", Decimal(0)),
    ]


CLASSES = """\
Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),Iconic Image Path (str),\
Product Description Path (str)
Golden-Delicious,0,Apple,0,/iconic/Fruit/apple.jpg,/iconic/Fruit/apple.txt
Broken
Pear,x,Pear,1,/iconic/Fruit/apple.jpg,
Lost,1,Pear,1,/iconic/Fruit/lost.jpg,../../secret.txt
Wide,2,Pear,1,/iconic/Fruit/apple.jpg,,too,many
Twice,0,Apple,0,/iconic/Fruit/apple.jpg,
"""
TRAIN = """train/apple_1.jpg, 0, 0

train/apple_2.jpg
train/none.jpg, 0, 0
../outside.jpg, 0, 0
train/apple_1.jpg, 77, 0
train/apple_1.jpg, one, 0
train/apple_2.jpg, 1, 1
"""


@pytest.fixture
def grocery(tmp_path: Path) -> Path:
    """A clone of the Grocery Store Dataset with lines that are broken in every way."""
    root = tmp_path / "clone" / "dataset"
    for name in ("iconic/Fruit/apple.jpg", "train/apple_1.jpg", "train/apple_2.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(jpeg(len(name)))
    (root / "iconic/Fruit/apple.txt").write_text("Sweet.")
    (tmp_path / "outside.jpg").write_bytes(jpeg(1))
    (root / "classes.csv").write_text(CLASSES)
    (root / "train.txt").write_text(TRAIN)
    (root / "test.txt").write_bytes(
        b"train/apple_2.jpg, 0, 0\ntrain/\0.jpg, 0, 0\n" + b"x" * 300 + b", 0, 0\n"
    )
    return tmp_path / "clone"


@pytest.mark.django_db
def test_broken_lines_of_a_folder_are_told_and_the_rest_is_taken(grocery: Path, data_dir: Path) -> None:
    found = read_folder(grocery)
    assert import_items(found.items) == 2
    apple, lost = Product.objects.order_by("sku")
    assert (apple.sku, apple.description, apple.photos.count()) == ("grocery-000", "Sweet.", 1)
    assert lost.image  # its first photo stands in for the icon
    assert [(len(one.images), len(one.queries)) for one in found.items] == [(2, 1), (1, 0)]
    told = [line.partition(": ") for line in found.skipped]
    assert {place: why for place, _, why in told if not place.startswith("test")} == {
        "classes.csv, line 3": "nothing in column 'Class ID (int)', 'Coarse Class Name (str)', "
        "'Iconic Image Path (str)'",
        "classes.csv, line 4": "class id 'x' is no number",
        "classes.csv, line 5": "'/iconic/Fruit/lost.jpg': there is no such file",
        "classes.csv, line 6": "more than the 6 columns of the header",
        "classes.csv, line 7": "class 0 is that of line 2",
        "train.txt, line 3": "it takes path, fine id, coarse id, and has 1 of them",
        "train.txt, line 4": "'train/none.jpg': there is no such file",
        "train.txt, line 5": "'../outside.jpg': it leads out of the folder",
        "train.txt, line 6": "classes.csv has no class '77'",
        "train.txt, line 7": "classes.csv has no class 'one'",
    }
    assert "classes.csv, line 5: '../../secret.txt': it leads out of the folder" in found.skipped
    assert [place for place, _, _ in told if place.startswith("test")] == [
        "test.txt, line 2",
        "test.txt, line 3",
    ]


@pytest.mark.django_db
def test_the_demo_says_what_it_skipped_and_how_much(
    grocery: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "MOST_TOLD", 3)
    out, err = StringIO(), StringIO()
    command = demo.Command(stdout=out, stderr=err)
    assert len(command._seed(str(grocery))) == 1
    assert err.getvalue().count("Skipped: ") == 4
    assert "classes.csv, line 3" in err.getvalue()
    assert "10 more" in err.getvalue()
    assert "2 products in the shop, 2 of them new." in out.getvalue()
    assert "13 lines or files of the folder could not be used" in out.getvalue()


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
