"""The shop's products -> projected entries in hand, with their photos as the shop stores them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models.fields.files import FieldFile

from .. import telemetry
from ..catalogue.adapter import catalogue
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..catalogue.project import project
from ..index.models import Descriptor
from ..types import ProductRef
from .photos import Photo
from .report import IndexReport


@dataclass(slots=True)
class Product:
    """A product in hand: its projection, its photos as the shop stores them, and what was seen of each."""

    ref: ProductRef
    entry: CatalogueEntry
    files: dict[str, FieldFile]
    was_same: bool
    images: list[CatalogueImage] = field(default_factory=list)


def load(refs: Sequence[ProductRef], report: IndexReport) -> tuple[list[Product], list[ProductRef]]:
    """Project every product as the shop has it now; those the shop no longer has come second."""
    before = _fingerprints(refs)
    products: list[Product] = []
    gone: list[ProductRef] = []
    with transaction.atomic():  # one commit for all; each product has a savepoint of its own
        for ref, product in _fetch(refs, report):
            if product is None:
                gone.append(ref)
                continue
            try:
                with transaction.atomic():
                    products.append(_project(ref, product, before.get(ref)))
            except Exception as error:  # noqa: BLE001 - the shop's code may raise anything; the others go on
                _blame(ref, error, report)
    by_entry = {one.entry.pk: one for one in products}
    for image in CatalogueImage.objects.filter(entry_id__in=by_entry):
        by_entry[image.entry_id].images.append(image)
    return products, gone


def _fetch(refs: Sequence[ProductRef], report: IndexReport) -> Iterator[tuple[ProductRef, Any]]:
    """Each product of the shop's, or None when it has it no longer; one query per source."""
    by_source: dict[str, list[str]] = {}
    for ref in refs:
        by_source.setdefault(ref.source, []).append(ref.object_id)
    for source, keys in by_source.items():
        try:
            found = catalogue(source).get_many(keys)
        except Exception as error:  # noqa: BLE001 - the shop's own queryset
            for key in keys:
                _blame(ProductRef(source, key), error, report)
            continue
        for key in keys:
            yield ProductRef(source, key), found.get(key)


def _project(ref: ProductRef, product: Any, before: str | None) -> Product:
    adapter = catalogue(ref.source)
    entry = project(adapter, product)
    files = {str(file.name): file for file in adapter.image_files(product)}
    return Product(ref, entry, files, was_same=before == entry.fingerprint)


def _blame(ref: ProductRef, error: Exception, report: IndexReport) -> None:
    telemetry.log.warning("product %s could not be loaded", ref, exc_info=error)
    report.failed[ref] = f"{type(error).__name__}: {error}"


def _fingerprints(refs: Sequence[ProductRef]) -> dict[ProductRef, str]:
    rows = CatalogueEntry.objects.filter(
        source__in={ref.source for ref in refs}, object_id__in={ref.object_id for ref in refs}
    ).exclude(state=CatalogueEntry.State.PENDING)
    found = rows.values_list("source", "object_id", "fingerprint")
    return {ProductRef(source, object_id): fingerprint for source, object_id, fingerprint in found}


def photos_of(products: Sequence[Product], backbones: Sequence[str]) -> Iterator[Photo]:
    """Every photo of the products, with what is known of its bytes."""
    known: dict[int, dict[str, str]] = {}
    rows = Descriptor.objects.filter(
        image__entry_id__in=[one.entry.pk for one in products], backbone_digest__in=backbones
    )
    for image_id, backbone, digest in rows.values_list("image_id", "backbone_digest", "content_digest"):
        known.setdefault(image_id, {})[backbone] = digest
    for product in products:
        for image in product.images:
            rejected = image.content_digest if image.state == CatalogueImage.State.REJECTED else ""
            if image.name in product.files:
                yield Photo(image.pk, product.files[image.name], known.get(image.pk, {}), rejected)
