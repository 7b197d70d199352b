"""Explain a suggestion: nearest labelled products and a heat map."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.core.cache import cache
from PIL import Image

from .. import metrics
from ..catalogue.adapter import catalogue
from ..catalogue.models import CatalogueEntry
from ..classifiers.base import Classifier
from ..classifiers.fine_tuned import FineTuned
from ..classifiers.saliency import Evidence, evidence, over_photo
from ..encoders.base import MapEncoder
from ..exceptions import InvalidRequest
from ..index.models import Embedding
from ..indexing import encoder_releases as encoders
from ..indexing.photos import read_photo
from ..types import Filter
from .classifier_releases import open_release
from .labels import told
from .models import ClassifierRelease, Prediction

LOOKED_AT = 60  # neighbours, to find some that carry a label
MAP_SIDE = 320  # pixels of a heat map's longer side
HOT = (214, 39, 40)  # colour of a heat map; its strength is the opacity
OPAQUE = 190  # of 255, where it is hottest
CACHE_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A labelled product that looks like the one in question; similarity is the cosine of their photos."""

    entry: CatalogueEntry
    label: str
    name: str
    similarity: float


def nearest_labelled(prediction: Prediction, k: int = 6) -> list[Neighbour]:
    """The most similar products whose label the shop or a person has given, most similar first.

    Whatever their label is: a neighbour of another label is evidence too. Variants of the same product, and
    labels that only a model gave, are left out.

    Raises:
        TemporaryFailure: nothing is indexed yet, or the index cannot be read now.
    """
    live = encoders.live()
    own = prediction.entry
    vectors = Embedding.objects.filter(release=live.row, entry_id=own.pk, vector__isnull=False)
    found: dict[int, float] = {}
    where = Filter(sources=frozenset({own.source}), exclude=frozenset({own.pk}))
    for data in vectors.values_list("vector", flat=True):
        query = np.frombuffer(bytes(data or b""), "<f2").astype(np.float32)
        query = query / max(float(np.linalg.norm(query)), 1e-9)
        hits = live.index.query(query, LOOKED_AT, where=where, digest=live.row.digest)
        for entry, similarity in zip(hits.products.tolist(), hits.similarities.tolist(), strict=True):
            found[entry] = max(similarity, found.get(entry, -1.0))
    return _labelled(prediction, found)[:k]


def _labelled(prediction: Prediction, found: dict[int, float]) -> list[Neighbour]:
    entries = {
        one.object_id: one
        for one in CatalogueEntry.objects.filter(pk__in=found).exclude(group=prediction.entry.group)
    }
    adapter = catalogue(prediction.entry.source)
    known = told(adapter, prediction.target, list(entries))
    made = [
        Neighbour(entries[key], one.label.id, one.label.name, round(found[entries[key].pk], 4))
        for key, one in known
        if one.label is not None
    ]
    return sorted(made, key=lambda one: (-one.similarity, one.entry.pk))


def heat_map(prediction: Prediction) -> bytes:
    """Where on the product's first photo the reasons for the suggestion lie: PNG, transparent where it is cold.

    It has the photo's aspect and is made to be laid over it. Exact for heads that are linear in the maps.

    Raises:
        InvalidRequest: there is none (``no_map``): the classifier is of a kind without a map, its release is
            gone, or the photo cannot be read.
    """
    if prediction.release is None:
        raise InvalidRequest("suggestion_classifier_gone", code="no_map")
    key = f"shopvision:map:{prediction.release.digest}:{prediction.entry_id}:{prediction.label}"
    key += f":{prediction.entry.fingerprint[:16]}"
    try:
        kept: bytes | None = cache.get(key)
    except Exception as error:  # noqa: BLE001 - any cache backend may raise anything; the map is drawn anew
        metrics.log.warning("the cache does not answer: %s", error)
        kept = None
    if kept is not None:
        return kept
    data = _draw(prediction, prediction.release)
    try:
        cache.set(key, data, CACHE_SECONDS)
    except Exception as error:  # noqa: BLE001 - as above
        metrics.log.warning("the cache took no heat map: %s", error)
    return data


def _draw(prediction: Prediction, row: ClassifierRelease) -> bytes:
    release = open_release(row)
    image = _first_photo(prediction)
    labels: Sequence[str] = release.classifier.labels
    if prediction.label not in labels:
        raise InvalidRequest("classifier_label_unknown", code="no_map", label=prediction.label)
    found, fit = _evidence(release.classifier, image, labels.index(prediction.label))
    image.thumbnail((MAP_SIDE, MAP_SIDE))
    heat = np.clip(over_photo(found.heat(), image.size, fit), 0, 1)
    pixels = np.empty((*heat.shape, 4), np.uint8)
    pixels[..., :3] = HOT
    pixels[..., 3] = np.rint(heat * OPAQUE)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _first_photo(prediction: Prediction) -> Image.Image:
    adapter = catalogue(prediction.entry.source)
    product = adapter.get(prediction.entry.object_id)
    for file in adapter.image_files(product) if product is not None else ():
        image = read_photo(file)
        if image is not None:
            return image
    raise InvalidRequest("product_photo_unreadable", code="no_map")


def _evidence(classifier: Classifier, image: Image.Image, label: int) -> tuple[Evidence, str]:
    """The evidence, and how the square it lies on was fitted to the photo."""
    encoder = encoders.live().encoder if "descriptors" in classifier.needs else None
    found = evidence(classifier, encoder if isinstance(encoder, MapEncoder) else None, image, label)
    if found is None:
        raise InvalidRequest("classifier_kind_without_map", code="no_map", kind=classifier.kind)
    if isinstance(classifier, FineTuned):
        return found, classifier.preprocess.fit
    return found, encoder.spec.preprocess.fit if encoder is not None else "letterbox"
