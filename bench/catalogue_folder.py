"""A throw-away shop read from a catalogue folder: own database, own index, real code; gone afterwards."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.db import connection, models
from django.test.utils import override_settings

from shopvision import jobs
from shopvision.catalogue.adapter import Catalogue, register, unregister
from shopvision.exceptions import InvalidRequest
from shopvision.indexing import encoder_releases

MOST_PRICE = 10**10  # what the column holds


class SandboxProduct(models.Model):
    """A row of products.csv; its table exists in the throw-away database only."""

    sku = models.CharField(primary_key=True, max_length=200)
    title = models.CharField(max_length=500)
    description = models.TextField()
    category = models.CharField(max_length=500)
    price = models.DecimalField(max_digits=12, decimal_places=2, null=True)

    class Meta:
        app_label = "shopvision_sandbox"
        managed = False

    def __str__(self) -> str:
        return self.title


class SandboxPhoto(models.Model):
    """One of its photos; the first is the catalogue image."""

    product = models.ForeignKey(SandboxProduct, on_delete=models.CASCADE, related_name="photos")
    file = models.ImageField(max_length=500)

    class Meta:
        app_label = "shopvision_sandbox"
        managed = False
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.file.name)


class SandboxCatalogue(Catalogue):
    """The folder's adapter: the same few lines any shop writes."""

    images = "photos__file"
    title, description = "title", "description"
    category, price = "category", "price"


@dataclass(frozen=True, slots=True)
class Row:
    """One product of the folder; names of photos are relative to it, the catalogue image first."""

    sku: str
    title: str
    description: str
    category: str
    price: Decimal | None
    photos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """One query photo and the products that would be right."""

    image: str
    relevant: frozenset[str]


def read_products(folder: Path) -> list[Row]:
    """products.csv of a catalogue folder; of rows with one sku the first.

    Raises:
        InvalidRequest: there is none, or a row lacks what it must have.
    """
    found: dict[str, Row] = {}
    for line, row in enumerate(read_csv(folder / "products.csv"), start=2):
        if not row.get("sku"):
            raise InvalidRequest(f"{folder / 'products.csv'}, line {line}: no sku")
        names = [row.get("image", ""), *row.get("photos", "").split("|")]
        photos = tuple(dict.fromkeys(name for name in names if name and (folder / name).is_file()))
        found.setdefault(
            row["sku"],
            Row(
                row["sku"],
                row.get("title") or row["sku"],
                row.get("description", ""),
                row.get("category", ""),
                _price(row.get("price", "")),
                photos,
            ),
        )
    return list(found.values())


def read_queries(folder: Path) -> list[Query]:
    """queries.csv of a catalogue folder; queries whose photo is missing are left out."""
    rows = read_csv(folder / "queries.csv")
    return [
        Query(row["image"], frozenset(filter(None, row.get("relevant_sku", "").split("|"))))
        for row in rows
        if row.get("image") and (folder / row["image"]).is_file()
    ]


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file with a header, values stripped.

    Raises:
        InvalidRequest: it cannot be read.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return [{k: (v or "").strip() for k, v in row.items() if k} for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error, AttributeError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}") from error


def _price(text: str) -> Decimal | None:
    try:
        price = Decimal(text).quantize(Decimal("0.01")) if text else None
    except InvalidOperation:
        return None
    return price if price is not None and price.is_finite() and abs(price) < MOST_PRICE else None


@contextmanager
def sandbox(folder: Path) -> Iterator[None]:
    """An empty shop whose photos lie in ``folder``; work is done at once, in this process."""
    with tempfile.TemporaryDirectory(prefix="shopvision-sandbox-") as scratch:
        given = {
            **getattr(settings, "SHOPVISION", {}),
            "DATA_DIR": Path(scratch) / "data",
            "ENGINE": "immediate",
        }
        before = connection.settings_dict["NAME"]
        if connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = str(Path(scratch) / "sandbox.sqlite3")
        encoder_releases.reset()
        with override_settings(SHOPVISION=given):
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            try:
                with connection.schema_editor() as editor:
                    editor.create_model(SandboxProduct)
                    editor.create_model(SandboxPhoto)
                SandboxPhoto._meta.get_field("file").storage = FileSystemStorage(folder)
                register(SandboxProduct)(SandboxCatalogue)
                yield
            finally:
                unregister(SandboxProduct)
                encoder_releases.reset()
                connection.creation.destroy_test_db(before, verbosity=0)


def fill(rows: Iterable[Row], *, photos: int | None = None) -> int:
    """Put products into the empty shop, without signals; how many photos they have.

    Args:
        photos: only so many photos of each product; 1 leaves the catalogue image.
    """
    chosen = [row for row in rows if row.photos]
    SandboxProduct._default_manager.bulk_create(
        SandboxProduct(
            sku=row.sku,
            title=row.title[:500],
            description=row.description,
            category=row.category,
            price=row.price,
        )
        for row in chosen
    )
    rows_of_photos = [
        SandboxPhoto(product_id=row.sku, file=name) for row in chosen for name in row.photos[:photos]
    ]
    SandboxPhoto._default_manager.bulk_create(rows_of_photos)
    return len(rows_of_photos)


def keep_photos(skus: Sequence[str], names: Iterable[str]) -> None:
    """Leave the shop only these photos of these products; the reconciler has to notice."""
    SandboxPhoto._default_manager.exclude(file__in=list(names)).delete()
    SandboxProduct._default_manager.exclude(sku__in=list(skus)).delete()


def index_everything() -> dict[str, Any]:
    """The job behind ``shopvision_index``, run here; its figures.

    Raises:
        InvalidRequest: it failed; the message says why.
    """
    job = jobs.start("index_all", {}, wake=False)
    jobs.run(job)
    job.refresh_from_db()
    if job.state != jobs.Job.State.DONE:
        raise InvalidRequest(f"indexing {job.state}: {job.message}")
    return dict(job.result)
