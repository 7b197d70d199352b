"""Predictions of the live classifier for products and photos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from .. import conf, metrics, signals, types
from ..catalogue.adapter import Catalogue, catalogue
from ..catalogue.models import CatalogueEntry
from ..classifiers.augmented_views import describe_averaged
from ..classifiers.base import Examples
from ..images.decode import decode
from ..indexing import encoder_releases as encoders
from ..indexing.photos import limits
from ..indexing.pipeline import index_products
from ..messages import Message
from ..types import ProductRef
from .classifier_evaluation import ABSTENTION, LEAST_KNOWN, Answer
from .classifier_releases import OpenRelease, open_live
from .dataset import Dataset
from .inference import Material, Opinion, gather, opinion
from .labels import decided_keys
from .models import ClassifierRelease, Prediction

TOP = 5
State = Prediction.State
OPEN = (State.SUGGESTED, State.APPLIED)  # no person has decided
WRITTEN = [
    "release",
    "label",
    "name",
    "probability",
    "known",
    "top",
    "current",
    "state",
    "value",
    "job",
    "changed_at",
]


@dataclass(frozen=True, slots=True)
class PhotoAnswer:
    """What the live classifier says of one photo.

    Args:
        top: best first, five at most.
        known: probability that it is any of the labels.
        abstained: it is too unsure to be believed at 5 % error.
        release: that said so.
    """

    top: tuple[types.Prediction, ...]
    known: float
    abstained: bool
    release: ClassifierRelease


@dataclass(slots=True)
class Predicted:
    """Suggestions for some products, not yet written.

    Args:
        rows: unsaved predictions.
        problems: why there is none for a product, by its reference.
    """

    rows: list[Prediction] = field(default_factory=list)
    problems: dict[str, Message] = field(default_factory=dict)


@dataclass(frozen=True)
class Looked:
    """Some products, fetched and ready to be judged.

    Args:
        keys: that were asked for.
        found: entry, key and the shop's product of each that can be judged.
        material: of those.
    """

    keys: Sequence[str]
    found: Sequence[tuple[int, str, Any]]
    material: Material


def look(keys: Sequence[str], release: OpenRelease) -> Looked:
    """Fetch what a classifier looks at, of some hundred products; those without descriptors are described first.

    Args:
        keys: of products of the release's catalogue.
        release: opened.

    Raises:
        TemporaryFailure: the encoder or the whole storage is down.
    """
    adapter = catalogue(release.row.source)
    with metrics.timed("classify_shop"):
        products = adapter.get_many(keys)
    looked = _fetched(keys, products, adapter, release)
    with metrics.timed("classify_lacking"):
        lacking = _lacking(looked, products, release)
    if not lacking:
        return looked
    with metrics.timed("classify_describe"):
        size = 8 * conf.BATCH_SIZE
        for start in range(0, len(lacking), size):
            index_products([ProductRef(adapter.source, key) for key in lacking[start : start + size]])
    return _fetched(keys, products, adapter, release)


def _fetched(
    keys: Sequence[str], products: Mapping[str, Any], adapter: Catalogue, release: OpenRelease
) -> Looked:
    """What is stored of the products that are indexed."""
    rows = CatalogueEntry.objects.filter(source=adapter.source, object_id__in=list(products))
    entries = dict(rows.values_list("object_id", "pk"))
    found = [(entries[key], key, product) for key, product in products.items() if key in entries]
    reads = "texts" in release.classifier.needs
    material = gather(
        release.classifier,
        release.row.backbone_digest,
        [entry for entry, *_ in found],
        words=[adapter.words_of(product) for *_, product in found] if reads else None,
        shop=(adapter, {entry: product for entry, _, product in found}),
    )
    return Looked(keys, found, material)


def _lacking(looked: Looked, products: Mapping[str, Any], release: OpenRelease) -> list[str]:
    """Products not indexed yet, and, for a classifier of descriptors, those of which there is none yet.

    Told from what was fetched: as one statement, with a join inside NOT EXISTS, PostgreSQL took hours over 5,000
    products whose tables had been analysed while they were empty.
    """
    indexed = {key for _, key, _ in looked.found}
    lacking = [key for key in products if key not in indexed]
    if not release.row.backbone_digest:
        return lacking
    described = {row for row, _ in looked.material.packed}
    bare = {entry: key for row, (entry, key, _) in enumerate(looked.found) if row not in described}
    if bare:
        tried = CatalogueEntry.State.REJECTED, CatalogueEntry.State.EMPTY  # without a usable photo
        open_rows = CatalogueEntry.objects.filter(pk__in=list(bare)).exclude(state__in=tried)
        lacking += [bare[entry] for entry in open_rows.values_list("pk", flat=True)]
    return lacking


def suggestions(looked: Looked, judged: Opinion, target: str, release: OpenRelease) -> Predicted:
    """Turn opinions into rows to write, and say why a product has none."""
    adapter = catalogue(release.row.source)
    with metrics.timed("classify_rows"):
        rows = _rows(looked.found, adapter, target, release, judged)
    seen = {key for (_, key, _), seen in zip(looked.found, judged.seen, strict=True) if seen}
    unseen = [key for key in looked.keys if key not in seen]
    there = set(adapter.existing(unseen)) if unseen else set()
    problems = {
        str(ProductRef(adapter.source, key)): Message(
            "photo_failed" if key in there else "product_not_in_shop"
        )
        for key in unseen
    }
    return Predicted(rows, problems)


def _rows(
    found: Sequence[tuple[int, str, Any]],
    adapter: Catalogue,
    target: str,
    release: OpenRelease,
    judged: Opinion,
) -> list[Prediction]:
    """One unsaved row for each product that was seen."""
    labels, names = release.classifier.labels, release.names
    best = np.argsort(-judged.probabilities, axis=1, kind="stable")[:, :TOP]
    orders, made = best.tolist(), []
    tops = np.take_along_axis(judged.probabilities, best, axis=1).round(4).tolist()
    doubts = judged.known.round(4).tolist()
    for row, (entry, _, product) in enumerate(found):
        if not judged.seen[row]:
            continue
        order, chances, known = orders[row], tops[row], doubts[row]
        current = adapter.labels(product, target)
        label = labels[order[0]]
        made.append(
            Prediction(
                entry_id=entry,
                target=target,
                release_id=release.row.pk,
                label=label,
                name=names[label],
                probability=chances[0],
                known=known,
                top=[
                    {"label": labels[n], "name": names[labels[n]], "probability": p}
                    for n, p in zip(order, chances, strict=True)
                ],
                current=current[0].id if current else "",
                value=worth(
                    chances[0] * known, adapter.views_of(product), {one.id for one in current}, label
                ),
            )
        )
    return made


def worth(sureness: float, views: float, current: Iterable[str], label: str) -> float:
    """What looking at a suggestion is worth: how often the product is seen, times the doubt about it.

    The doubt about a product without a label, or with the label suggested, is ``1 - sureness``; about one that
    carries another label it is the sureness that this one is wrong.

    Args:
        sureness: probability of the label times that of any label. views: 0 or more.
    """
    labels = set(current)
    doubt = sureness if labels and label not in labels else 1 - sureness
    return round((1 + views) * doubt, 4)


def write(rows: Sequence[Prediction], source: str, job: Any = None) -> list[Prediction]:
    """Store suggestions, in one transaction; products that a person has decided of are left alone.

    New rows are put in without touching what another worker wrote meanwhile; rows that are there are locked
    before they are looked at, so a decision made at the same moment stands.

    Args:
        rows: of one target and one catalogue.
        source: the catalogue.
        job: that asked for them.

    Returns:
        the rows written.
    """
    if not rows:
        return []
    with metrics.timed("classify_write"), transaction.atomic():
        keys = dict(
            CatalogueEntry.objects.filter(pk__in=[row.entry_id for row in rows]).values_list(
                "pk", "object_id"
            )
        )
        stored = Prediction.objects.select_for_update().filter(entry_id__in=list(keys), target=rows[0].target)
        there = {row.entry_id: row for row in stored.order_by("pk").only("entry_id", "state", "label")}
        decided = decided_keys(source, rows[0].target, list(keys.values()))
        open_ = [row for row in rows if row.entry_id in keys and keys[row.entry_id] not in decided]
        now = timezone.now()
        fresh = [row for row in open_ if row.entry_id not in there]
        again = [row for row in open_ if row.entry_id in there and there[row.entry_id].state in OPEN]
        for row in (*fresh, *again):
            row.job_id, row.changed_at = job, now
            row.state = _state(row, there.get(row.entry_id))
        Prediction.objects.bulk_create(fresh, ignore_conflicts=True)
        Prediction.objects.bulk_create(
            again, update_conflicts=True, unique_fields=["entry", "target"], update_fields=WRITTEN
        )
    written = [*fresh, *again]
    _tell(written, keys, source)
    return written


def _state(row: Prediction, stored: Prediction | None) -> str:
    """What a job applied stays applied while the classifier says the same."""
    applied = stored is not None and stored.state == State.APPLIED and stored.label == row.label
    return State.APPLIED if applied else State.SUGGESTED


def _tell(rows: Sequence[Prediction], keys: Mapping[int, str], source: str) -> None:
    if not signals.product_classified.has_listeners(Prediction):
        return
    for row in rows:
        signals.product_classified.send_robust(
            Prediction,
            product=ProductRef(source, keys[row.entry_id]),
            target=row.target,
            prediction=types.Prediction(row.label, row.name, row.probability),
            state=row.state,
        )


def predict_photo(data: bytes, source: str, target: str) -> PhotoAnswer:
    """Judge a photo that is no product's; it is looked at in memory and dropped.

    Raises:
        ImageRejected: the bytes are no photo.
        InvalidRequest: no classifier is live (``no_classifier``), or the live one reads descriptions.
        TemporaryFailure: the encoder is down, or the classifier waits for its retraining.
    """
    release = open_live(source, target)
    image = decode(data, limits())
    examples = _examples_of(image, release)
    chances, doubts = release.classifier.judge(examples)
    probabilities, known = chances[0], float(doubts[0])
    order = np.argsort(-probabilities, kind="stable")[:TOP]
    labels, names = release.classifier.labels, release.names
    top = tuple(
        types.Prediction(labels[n], names[labels[n]], round(float(probabilities[n]), 4)) for n in order
    )
    threshold = threshold_of(release.row, ABSTENTION)
    unsure = threshold is None or known < LEAST_KNOWN or float(probabilities.max()) < threshold
    return PhotoAnswer(top, round(known, 4), unsure, release.row)


def _examples_of(image: Any, release: OpenRelease) -> Examples:
    needs = release.classifier.needs
    if "images" in needs:
        return Examples(images=[image])
    blocks = describe_averaged(encoders.live().query_encoder, [image])
    return Examples(blocks, [""] if "texts" in needs else None)


def threshold_of(row: ClassifierRelease, error: float | str) -> float | None:
    """From which probability on the release errs no more often than this; None when it cannot keep it."""
    found = (row.metrics.get("thresholds") or {}).get(str(error))
    return float(found["threshold"]) if found else None


def answers_of(release: OpenRelease, dataset: Dataset, rows: Sequence[int]) -> dict[str, Answer]:
    """What a release says of some items of a dataset, by their keys."""
    items = [dataset.items[row] for row in rows]
    adapter = catalogue(dataset.source)
    products: dict[int, Any] = {}
    if "images" in release.classifier.needs:
        by_key = adapter.get_many([one.key for one in items])
        products = {one.entry: by_key[one.key] for one in items if one.key in by_key}
    material = gather(
        release.classifier,
        release.row.backbone_digest,
        [one.entry for one in items],
        words=[one.words for one in items],
        shop=(adapter, products),
    )
    judged = opinion(release.classifier, material)
    best = judged.probabilities.argmax(axis=1)
    return {
        one.key: Answer(release.classifier.labels[best[n]], float(judged.probabilities[n, best[n]]))
        for n, one in enumerate(items)
        if judged.seen[n]
    }
