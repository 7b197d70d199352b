"""A folder of products -> the shop: the catalogue folder format, or a clone of the Grocery Store Dataset."""

from __future__ import annotations

import csv
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from django.core.files import File
from django.db import transaction
from django.utils.text import slugify

from demo_shop.models import Category, Product, ProductPhoto

GROCERY_PHOTOS = 20  # training photos taken per class: the set has up to 130
DEFAULT_STOCK = 5
MOST_SHOWN = 100  # characters of a name that is no file's
MOST_PRICE = 1_000_000  # Product.price has six digits before the point


class ImportProblem(Exception):
    """The folder is not one we can read; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Item:
    """One product to import; paths are absolute, and there are such files."""

    sku: str
    title: str
    description: str = ""
    category: str = ""  # "A > B"
    colour: str = ""
    price: Decimal = Decimal("0")
    stock: int = DEFAULT_STOCK
    images: tuple[Path, ...] = ()
    queries: tuple[Path, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Reading:
    """What a folder holds.

    Args:
        items: its products.
        skipped: what could not be used, each with its file, its line and why; the rest is in ``items``.
    """

    items: list[Item]
    skipped: list[str]


def read_folder(folder: Path) -> Reading:
    """The products of a folder, whichever of the two layouts it has.

    Raises:
        ImportProblem: neither layout, or a file that cannot be understood at all.
    """
    if (folder / "products.csv").is_file():
        lines = _Lines(folder)
        return Reading(list(_catalogue_folder(lines)), lines.skipped)
    for root in (folder / "dataset", folder):
        if (root / "classes.csv").is_file():
            lines = _Lines(root)
            return Reading(list(_grocery(lines)), lines.skipped)
    raise ImportProblem(
        f"{folder} has neither products.csv (a catalogue folder) nor dataset/classes.csv (Grocery Store Dataset)"
    )


class _Lines:
    """Lines of a folder's files; those that cannot be used are remembered with the reason."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.skipped: list[str] = []

    def skip(self, name: str, line: int, why: str) -> None:
        """Remember a line of a file, or a photo it names, as one that cannot be used."""
        self.skipped.append(f"{name}, line {line}: {why}")

    def rows(self, name: str, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
        """Rows of a CSV file with a header, values stripped, with their lines.

        Args:
            needed: columns that a row must have something in.

        Raises:
            ImportProblem: it cannot be read, or lacks a needed column altogether.
        """
        path = self.root / name
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file, skipinitialspace=True)
                titles = [title.strip() for title in reader.fieldnames or ()]
                found = [(reader.line_num, row) for row in reader]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ImportProblem(f"{path} cannot be read: {error}") from error
        if missing := [title for title in needed if title not in titles]:
            raise ImportProblem(f"{path} has no column {', '.join(map(repr, missing))}")
        for line, row in found:
            values = {key.strip(): (value or "").strip() for key, value in row.items() if key is not None}
            if None in row:
                self.skip(name, line, f"more than the {len(titles)} columns of the header")
            elif empty := [title for title in needed if not values.get(title)]:
                self.skip(name, line, f"nothing in column {', '.join(map(repr, empty))}")
            else:
                yield line, values

    def file(self, source: str, line: int, name: str) -> Path | None:
        """A file that a line names, if it is there and in the folder."""
        try:
            path = (self.root / name.lstrip("/")).resolve()
            if path.is_relative_to(self.root.resolve()):
                if path.is_file():
                    return path
                why = "there is no such file"
            else:
                why = "it leads out of the folder"
        except (OSError, ValueError) as error:  # too long a name, or a null character in it
            why = str(error)
        self.skip(source, line, f"{name[:MOST_SHOWN]!r}: {why}")
        return None


def _catalogue_folder(lines: _Lines) -> Iterator[Item]:
    known = {row["sku"] for _, row in _Lines(lines.root).rows("products.csv", ["sku"])}
    queries: dict[str, list[Path]] = {}
    if (lines.root / "queries.csv").is_file():
        for line, row in lines.rows("queries.csv", ["image", "relevant_sku"]):
            path = lines.file("queries.csv", line, row["image"])
            for sku in row["relevant_sku"].split("|") if path else ():
                if sku in known and path:
                    queries.setdefault(sku, []).append(path)
                else:
                    lines.skip("queries.csv", line, f"there is no product with the sku {sku!r}")
    first: dict[str, int] = {}
    for line, row in lines.rows("products.csv", ["sku"]):
        if first.setdefault(row["sku"], line) != line:
            lines.skip("products.csv", line, f"sku {row['sku']!r} is that of line {first[row['sku']]}")
            continue
        names = [row.get("image", ""), *row.get("photos", "").split("|")]
        photos = [lines.file("products.csv", line, name) for name in dict.fromkeys(names) if name]
        yield Item(
            sku=row["sku"],
            title=row.get("title") or row["sku"],
            description=row.get("description", ""),
            category=row.get("category", ""),
            colour=row.get("colour", ""),
            price=_price(row.get("price", "")),
            stock=int(row["stock"]) if row.get("stock", "").isdecimal() else DEFAULT_STOCK,
            images=tuple(path for path in photos if path),
            queries=tuple(queries.get(row["sku"], ())),
        )


def _price(text: str) -> Decimal:
    """The price; 0 where there is none, or none that the shop's column can hold."""
    try:
        price = Decimal(text or "0").quantize(Decimal("0.01"))
    except InvalidOperation:
        return Decimal("0")
    return price if price.is_finite() and 0 <= price < MOST_PRICE else Decimal("0")


GROCERY_COLUMNS = (
    "Class Name (str)",
    "Class ID (int)",
    "Coarse Class Name (str)",
    "Iconic Image Path (str)",
)


def _grocery(lines: _Lines) -> Iterator[Item]:
    rows: dict[int, tuple[int, dict[str, str]]] = {}
    for line, row in lines.rows("classes.csv", GROCERY_COLUMNS):
        id = row["Class ID (int)"]
        if not id.isdecimal():
            lines.skip("classes.csv", line, f"class id {id!r} is no number")
        elif int(id) in rows:
            lines.skip("classes.csv", line, f"class {id} is that of line {rows[int(id)][0]}")
        else:
            rows[int(id)] = line, row
    photos = _grocery_split(lines, "train.txt", rows)
    queries = _grocery_split(lines, "test.txt", rows)
    for number, (line, row) in rows.items():
        name, _, coarse, icon = (row[title] for title in GROCERY_COLUMNS)
        department = icon.strip("/").split("/")[1] if icon.count("/") > 1 else "Grocery"
        text = row.get("Product Description Path (str)", "")
        description = lines.file("classes.csv", line, text) if text else None
        words = description.read_text(encoding="utf-8", errors="replace") if description else ""
        image = lines.file("classes.csv", line, icon)
        yield Item(
            sku=f"grocery-{number:03d}",
            title=name.replace("-", " "),
            description=words.strip(),
            category=f"{department} > {coarse.replace('-', ' ')}",
            images=(*([image] if image else []), *photos.get(number, ())[:GROCERY_PHOTOS]),
            queries=tuple(queries.get(number, ())),
        )


def _grocery_split(lines: _Lines, name: str, classes: Container[int]) -> dict[int, list[Path]]:
    """Photos by fine class of one split: lines of ``path, fine id, coarse id``."""
    found: dict[int, list[Path]] = {}
    path = lines.root / name
    text = path.read_text(encoding="utf-8-sig", errors="replace") if path.is_file() else ""
    for line, words in enumerate(text.splitlines(), start=1):
        parts = [part.strip() for part in words.split(",")]
        if not any(parts):
            continue
        if len(parts) < 3:
            lines.skip(name, line, f"it takes path, fine id, coarse id, and has {len(parts)} of them")
        elif not parts[1].isdecimal() or int(parts[1]) not in classes:
            lines.skip(name, line, f"classes.csv has no class {parts[1]!r}")
        elif photo := lines.file(name, line, parts[0]):
            found.setdefault(int(parts[1]), []).append(photo)
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
    product = Product(
        sku=item.sku,
        title=item.title[:200],
        description=item.description,
        category=shelf(item.category),
        colour=item.colour,
        price=item.price,
        stock=item.stock,
    )
    if item.images:
        _attach(product.image, item.images[0], item.sku, 0)
    product.save()
    for number, path in enumerate(item.images[1:], start=1):
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
