"""A folder of products -> the shop: the catalogue folder format, or a clone of the Grocery Store Dataset."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from django.core.files import File
from django.db import transaction
from django.utils.text import slugify

from .models import Category, Product, ProductPhoto

GROCERY_PHOTOS = 20  # training photos taken per class: the set has up to 130
DEFAULT_STOCK = 5
MOST_PRICE = 1_000_000  # Product.price has six digits before the point


class ImportProblem(Exception):
    """The folder is not one we can read; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Item:
    """One product to import; paths are absolute."""

    sku: str
    title: str
    description: str = ""
    category: str = ""  # "A > B"
    colour: str = ""
    price: Decimal = Decimal("0")
    stock: int = DEFAULT_STOCK
    images: tuple[Path, ...] = ()
    queries: tuple[Path, ...] = field(default=())


def read_folder(folder: Path) -> list[Item]:
    """The products of a folder, whichever of the two layouts it has.

    Raises:
        ImportProblem: neither layout, or a file that cannot be understood.
    """
    if (folder / "products.csv").is_file():
        return list(_catalogue_folder(folder))
    for root in (folder / "dataset", folder):
        if (root / "classes.csv").is_file():
            return list(_grocery(root))
    raise ImportProblem(
        f"{folder} has neither products.csv (a catalogue folder) nor dataset/classes.csv (Grocery Store Dataset)"
    )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [
                {(k or "").strip(): (v or "").strip() for k, v in row.items()} for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise ImportProblem(f"{path} cannot be read: {error}") from error


def _catalogue_folder(folder: Path) -> Iterator[Item]:
    queries: dict[str, list[Path]] = {}
    if (folder / "queries.csv").is_file():
        for row in _rows(folder / "queries.csv"):
            for sku in row.get("relevant_sku", "").split("|"):
                queries.setdefault(sku, []).append(inside(folder, row.get("image", "")))
    for row in _rows(folder / "products.csv"):
        if not row.get("sku"):
            raise ImportProblem(f"{folder / 'products.csv'}: a row has no sku")
        names = [row.get("image", ""), *row.get("photos", "").split("|")]
        yield Item(
            sku=row["sku"],
            title=row.get("title") or row["sku"],
            description=row.get("description", ""),
            category=row.get("category", ""),
            colour=row.get("colour", ""),
            price=_price(row.get("price", "")),
            stock=int(row["stock"]) if row.get("stock", "").isdigit() else DEFAULT_STOCK,
            images=tuple(inside(folder, name) for name in names if name),
            queries=tuple(queries.get(row["sku"], ())),
        )


def inside(folder: Path, name: str) -> Path:
    """A file of the folder.

    Raises:
        ImportProblem: the name leads out of the folder.
    """
    path = (folder / name.lstrip("/")).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ImportProblem(f"{name!r} leads out of {folder}")
    return path


def _price(text: str) -> Decimal:
    """The price; 0 where there is none, or none that the shop's column can hold."""
    try:
        price = Decimal(text or "0").quantize(Decimal("0.01"))
    except InvalidOperation:
        return Decimal("0")
    return price if price.is_finite() and 0 <= price < MOST_PRICE else Decimal("0")


def _grocery(root: Path) -> Iterator[Item]:
    photos, queries = _grocery_split(root, "train.txt"), _grocery_split(root, "test.txt")
    for row in _rows(root / "classes.csv"):
        try:
            name, number = row["Class Name (str)"], row["Class ID (int)"]
            coarse, icon = row["Coarse Class Name (str)"], row["Iconic Image Path (str)"]
        except KeyError as error:
            raise ImportProblem(f"{root / 'classes.csv'} has no column {error}") from error
        department = icon.strip("/").split("/")[1] if icon.count("/") > 1 else "Grocery"
        text = row.get("Product Description Path (str)", "")
        description = inside(root, text) if text else None
        words = (
            description.read_text(encoding="utf-8", errors="replace")
            if description and description.is_file()
            else ""
        )
        yield Item(
            sku=f"grocery-{int(number):03d}",
            title=name.replace("-", " "),
            description=words.strip(),
            category=f"{department} > {coarse.replace('-', ' ')}",
            images=(inside(root, icon), *photos.get(number, ())[:GROCERY_PHOTOS]),
            queries=tuple(queries.get(number, ())),
        )


def _grocery_split(root: Path, name: str) -> dict[str, list[Path]]:
    """Photos by fine class of one split: lines of ``path, fine id, coarse id``."""
    found: dict[str, list[Path]] = {}
    path = root / name
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) >= 2:
            found.setdefault(parts[1], []).append(inside(root, parts[0]))
    return found


def import_items(items: list[Item]) -> int:
    """Create the products that the shop does not have yet; how many. All or none; of one sku the first."""
    known = set(Product.objects.values_list("sku", flat=True))
    by_sku = {item.sku: item for item in reversed(items)}
    fresh = [item for item in items if item.sku not in known and by_sku[item.sku] is item]
    with transaction.atomic():
        for item in fresh:
            _create(item)
    return len(fresh)


def _create(item: Item) -> None:
    images = [path for path in item.images if path.is_file()]
    product = Product(
        sku=item.sku,
        title=item.title[:200],
        description=item.description,
        category=shelf(item.category),
        colour=item.colour,
        price=item.price,
        stock=item.stock,
    )
    if images:
        _attach(product.image, images[0], item.sku, 0)
    product.save()
    for number, path in enumerate(images[1:], start=1):
        photo = ProductPhoto(product=product)
        _attach(photo.image, path, item.sku, number)
        photo.save()


def _attach(field_file: object, path: Path, sku: str, number: int) -> None:
    with path.open("rb") as file:
        field_file.save(f"{slugify(sku)}-{number}{path.suffix.lower()}", File(file), save=False)  # type: ignore[attr-defined]


def shelf(path: str) -> Category | None:
    """The category at the end of ``A > B``, with those above it."""
    parent: Category | None = None
    slug = ""
    for name in filter(None, (part.strip() for part in path.split(">"))):
        slug = f"{slug}-{slugify(name) or 'shelf'}".strip("-")[:120]
        parent, _ = Category.objects.get_or_create(slug=slug, defaults={"name": name[:100], "parent": parent})
    return parent
