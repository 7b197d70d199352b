"""Load products of the shop with their mirrored entries and photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models.fields.files import FieldFile

from .. import metrics
from ..catalogue.adapter import Catalogue, catalogue
from ..catalogue.mirror import project_many
from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..index.models import Descriptor
from ..messages import error_message
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
    by_source: dict[str, list[ProductRef]] = {}
    for ref in refs:
        by_source.setdefault(ref.source, []).append(ref)
    for source, wanted in by_source.items():
        for ref, entry, files in _load_source(source, wanted, report):
            if entry is None:
                gone.append(ref)
            else:
                products.append(Product(ref, entry, files, before.get(ref) == entry.fingerprint))
    by_entry = {one.entry.pk: one for one in products}
    for image in CatalogueImage.objects.filter(entry_id__in=by_entry):
        by_entry[image.entry_id].images.append(image)
    return products, gone


Loaded = tuple[ProductRef, CatalogueEntry | None, dict[str, FieldFile]]


def _load_source(source: str, refs: Sequence[ProductRef], report: IndexReport) -> list[Loaded]:
    """A batch of one catalogue; if the shop's code fails on it, one by one, so only the guilty is blamed."""
    try:
        with transaction.atomic():
            return _load_batch(catalogue(source), refs)
    except Exception as error:  # noqa: BLE001 - the shop's own code may raise anything
        if len(refs) > 1:
            return [one for ref in refs for one in _load_source(source, [ref], report)]
        metrics.log.warning("product %s could not be loaded", refs[0], exc_info=error)
        report.failed[refs[0]] = error_message(error)
        return []


def _load_batch(adapter: Catalogue, refs: Sequence[ProductRef]) -> list[Loaded]:
    found = adapter.get_many([ref.object_id for ref in refs])
    entries = project_many(adapter, list(found.values()))
    files = {key: {str(file.name): file for file in adapter.image_files(one)} for key, one in found.items()}
    return [(ref, entries.get(ref.object_id), files.get(ref.object_id, {})) for ref in refs]


def _fingerprints(refs: Sequence[ProductRef]) -> dict[ProductRef, str]:
    """Fingerprints of the entries whose photos are finished."""
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
