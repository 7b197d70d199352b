"""Mirror products and photos in our tables, with a fingerprint that detects changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from .adapter import Catalogue, ProductFacts
from .categories import looked_up_once
from .models import CatalogueEntry, CatalogueImage, Outbox

CENT = Decimal("0.01")
PROJECTED = [
    "group",
    "title",
    "text",
    "categories",
    "filters",
    "price",
    "in_stock",
    "fingerprint",
    "state",
    "changed_at",
]


def project_many(catalogue: Catalogue, products: Sequence[Any]) -> dict[str, CatalogueEntry]:
    """Create or update entries and photo rows of some products, in a handful of statements.

    Photos a product no longer has are dropped. With nothing changed it costs one read.

    Returns:
        Entries by the product's key; PENDING where new or changed.
    """
    with looked_up_once():
        wanted = {
            catalogue.object_id(one): (catalogue.facts(one), image_names(catalogue, one)) for one in products
        }
    rows = CatalogueEntry.objects.filter(source=catalogue.source)
    known = {entry.object_id: entry for entry in rows.filter(object_id__in=wanted)}
    prints = {key: fingerprint(facts, names) for key, (facts, names) in wanted.items()}
    changed = [key for key in wanted if key not in known or known[key].fingerprint != prints[key]]
    if not changed:
        return known
    queued = Outbox.objects.filter(source=catalogue.source, object_id__in=changed).order_by()
    since = dict(queued.values_list("object_id").annotate(Min("created_at")))
    now = timezone.now()
    entries = [
        CatalogueEntry(
            source=catalogue.source,
            object_id=key,
            fingerprint=prints[key],
            state=CatalogueEntry.State.PENDING,
            changed_at=since.get(key, now),
            **_columns(wanted[key][0]),
        )
        for key in changed
    ]
    with transaction.atomic():
        CatalogueEntry.objects.bulk_create(
            entries, update_conflicts=True, unique_fields=["source", "object_id"], update_fields=PROJECTED
        )
        stored = {entry.object_id: entry for entry in rows.filter(object_id__in=changed)}
        _mirror_many({stored[key].pk: wanted[key][1] for key in changed})
    return known | stored


def _mirror_many(names: Mapping[int, Sequence[str]]) -> None:
    """Make the photo rows of many entries match their names, in their order."""
    rows = [
        CatalogueImage(entry_id=entry, name=name, position=position, changed_at=timezone.now())
        for entry, listed in names.items()
        for position, name in enumerate(listed)
    ]
    there = CatalogueImage.objects.filter(entry_id__in=names).values_list("pk", "entry_id", "name")
    gone = [pk for pk, entry, name in there if name not in names[entry]]
    CatalogueImage.objects.filter(pk__in=gone).delete()
    CatalogueImage.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["entry", "name"], update_fields=["position"]
    )


def image_names(catalogue: Catalogue, product: Any) -> list[str]:
    """Names of the product's photos in the shop's storage, in order."""
    return [str(file.name) for file in catalogue.image_files(product)]


def _columns(facts: ProductFacts) -> dict[str, Any]:
    return {
        "group": facts.group[:360],
        "title": facts.title[:500],
        "text": facts.text,
        "categories": [{**asdict(one), "ancestors": list(one.ancestors)} for one in facts.categories],
        "filters": {name: list(values) for name, values in facts.filters.items()},
        "price": None if facts.price is None else facts.price.quantize(CENT),
        "in_stock": facts.in_stock,
    }


def fingerprint(facts: ProductFacts, names: Sequence[str]) -> str:
    """sha256 over all that we project of a product; equal when nothing we keep has changed."""
    parts = {**_columns(facts), "images": list(names)}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def remove(source: str, object_id: str) -> None:
    """Drop a product's projection; its photos and descriptors go with it."""
    CatalogueEntry.objects.filter(source=source, object_id=object_id).delete()
