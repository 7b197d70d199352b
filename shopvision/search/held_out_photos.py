"""Recall of the live index on held-out catalogue photos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Count

from ..catalogue.models import CatalogueEntry, CatalogueImage
from ..catalogue.visibility import visible_refs
from ..encoders.descriptor import unpack
from ..encoders.projection import gallery
from ..evaluation.bootstrap import mean_interval
from ..index.models import Descriptor, EncoderRelease
from ..indexing.encoder_releases import LiveRelease
from ..types import Filter, ProductRef
from .query import nearest

SAMPLE = 500  # photos; an interval of about 4 points either way at a recall of 0.7
LEAST_PHOTOS = 20  # held out; of fewer, one photo is more than five points
LEAST_IN_CATEGORY = 5  # photos of a category that is named
MOST_CATEGORIES = 20  # named, those with the most photos
DEPTHS = (1, 5)
ENTRIES_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Entry:
    """A product with its usable photos in the order of the catalogue: (image id, packed descriptor)."""

    pk: int
    group: str
    category: str
    photos: tuple[tuple[int, bytes], ...]


def evaluate_held_out_photos(live: LiveRelease, *, sample: int = SAMPLE, seed: int = 0) -> dict[str, Any]:
    """Recall@1 and @5 of a sample of photos, each searched for as if it were not in the index.

    Photos of visible products with two or more of them count. Other products are ranked by the live index as a
    search ranks them, variants folded; the photo's own product is ranked by its other photos, put together as the
    index would keep them without it. A photo whose very file another row has as well is no query.

    A projection that was tuned has learned from these photos, so the figures are then an upper bound: ``tuning``
    has what it found of photos held out of its fit.

    Args:
        live: the release that answers searches.
        sample: most photos, drawn by chance. seed: of the draw.

    Returns:
        ``photos``, ``products``, ``eligible_photos``, ``sample``, ``seed``, ``missing`` (photos lacking to
        ``LEAST_PHOTOS``; then there are no figures), ``release``, ``tuning`` (``recall@1`` and ``judged_on`` of the
        fit; None for an untuned release), ``recall@1``, ``recall@5``, each with ``_interval`` (95 %,
        products drawn with replacement), and ``by_category``.
    """
    owner_of = _eligible(live)
    keys = sorted(owner_of)
    count = min(sample, len(keys))
    drawn = sorted(np.random.default_rng(seed).choice(len(keys), count, replace=False)) if count else []
    chosen = [keys[place] for place in drawn]
    ranks, owners, categories = _ranks(live, chosen, owner_of)
    answer: dict[str, Any] = {
        "photos": len(ranks),
        "products": len(set(owners)),
        "eligible_photos": len(keys),
        "sample": sample,
        "seed": seed,
        "missing": max(0, LEAST_PHOTOS - len(ranks)),
        "release": str(live.row),
        "tuning": _tuning(live),
    }
    if answer["missing"]:
        return answer
    places, groups = np.array(ranks), np.array(owners)
    for depth in DEPTHS:
        found = (places <= depth).astype(float)
        answer[f"recall@{depth}"] = round(float(found.mean()), 4)
        bounds = mean_interval(found, groups)
        answer[f"recall@{depth}_interval"] = [round(bound, 4) for bound in bounds]
    return {**answer, "by_category": _by_category(places, categories)}


def _tuning(live: LiveRelease) -> dict[str, Any] | None:
    """What the release's projection found when it was fitted without some photos; None if it was not fitted."""
    if live.projection.recipe.get("kind") != "fitted":
        return None
    measured = EncoderRelease.objects.values_list("metrics", flat=True).get(pk=live.row.pk)
    return {name: measured.get(name) for name in ("recall@1", "judged_on")}


def _eligible(live: LiveRelease) -> dict[int, int]:
    """The entry of each photo that may be held out, by the photo's key."""
    usable = CatalogueImage.objects.filter(
        state=CatalogueImage.State.INDEXED, descriptors__backbone_digest=live.row.backbone_digest
    )
    several = usable.order_by().values("entry").annotate(n=Count("pk", distinct=True)).filter(n__gte=2)
    owners = set(several.values_list("entry", flat=True))
    repeated = usable.order_by().exclude(content_digest="").values("content_digest")
    digests = repeated.annotate(n=Count("pk", distinct=True)).filter(n__gte=2)
    copies = set(digests.values_list("content_digest", flat=True))
    rows = usable.order_by("pk").values_list("pk", "entry_id", "content_digest")
    return {pk: entry for pk, entry, digest in rows if entry in owners and digest not in copies}


def _ranks(
    live: LiveRelease, chosen: Sequence[int], owner_of: Mapping[int, int]
) -> tuple[list[int], list[int], list[str]]:
    """Rank of the own product of each photo, its entry and its category; photos of hidden products are left out."""
    photos_of: dict[int, list[int]] = defaultdict(list)
    for photo in chosen:
        photos_of[owner_of[photo]].append(photo)
    ranks, owners, categories = [], [], []
    entries = list(photos_of)
    for start in range(0, len(entries), ENTRIES_AT_ONCE):
        for entry in _entries(live, entries[start : start + ENTRIES_AT_ONCE]):
            for photo in photos_of[entry.pk]:
                ranks.append(_rank(live, entry, photo))
                owners.append(entry.pk)
                categories.append(entry.category)
    return ranks, owners, categories


def _entries(live: LiveRelease, keys: Sequence[int]) -> list[_Entry]:
    """Those of the products that a visitor may see, with the descriptors of their usable photos."""
    rows = list(CatalogueEntry.objects.filter(pk__in=keys).order_by("pk"))
    visible = set(visible_refs([ProductRef(row.source, row.object_id) for row in rows], None))
    described: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    usable = Descriptor.objects.filter(backbone_digest=live.row.backbone_digest, image__entry_id__in=keys)
    usable = usable.exclude(image__state=CatalogueImage.State.REJECTED)
    ordered = usable.order_by("image__entry_id", "image__position", "image_id")
    for entry, image, data in ordered.values_list("image__entry_id", "image_id", "data"):
        described[entry].append((image, bytes(data)))
    return [
        _Entry(
            row.pk,
            row.group,
            str(row.categories[0]["name"]) if row.categories else "",
            tuple(described[row.pk]),
        )
        for row in rows
        if row.ref in visible
    ]


def _rank(live: LiveRelease, entry: _Entry, photo: int) -> int:
    """Place of the product among the products found by one of its photos, which the index is not to know."""
    vectors = live.projection.embed(unpack([data for _, data in entry.photos]))
    own = np.array([image == photo for image, _ in entry.photos])
    others = vectors[~own]
    kept = gallery(others, np.zeros(len(others), int), np.arange(len(others)) == 0)
    similarity = float((kept @ vectors[own][0]).max())
    variants = frozenset(CatalogueEntry.objects.filter(group=entry.group).values_list("pk", flat=True))
    found = nearest(live, vectors[own][0], where=Filter(exclude=variants | {entry.pk}), limit=max(DEPTHS))
    return 1 + sum(one.similarity > similarity for one in found.found)


def _by_category(ranks: np.ndarray, categories: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Recall of the categories with the most photos, the largest first; products without one are left out."""
    places: dict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(categories):
        if name:
            places[name].append(row)
    large = sorted(places.items(), key=lambda one: (-len(one[1]), one[0]))[:MOST_CATEGORIES]
    return {
        name: {
            "photos": len(rows),
            **{f"recall@{depth}": round(float((ranks[rows] <= depth).mean()), 4) for depth in DEPTHS},
        }
        for name, rows in large
        if len(rows) >= LEAST_IN_CATEGORY
    }
