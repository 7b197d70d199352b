from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from PIL import Image

from demo_shop.models import Product
from shopvision import jobs
from shopvision.catalogue.models import CatalogueEntry
from shopvision.classification import explanations
from shopvision.classification.classifier_training import train
from shopvision.classification.models import ClassifierRelease, Decision, Prediction
from shopvision.exceptions import InvalidRequest
from shopvision.indexing.pipeline import drain_outbox
from tests.classification.conftest import SOURCE, TARGET, make_product, shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def suggestion(labelled: list[Product]) -> Prediction:
    """A suggestion of a linear head for a red product without a label."""
    cache.clear()
    assert train(SOURCE, TARGET, kind="linear", force=True).state == "live"
    new = make_product("red", 80_000, labelled=False)
    drain_outbox()
    params = {"source": SOURCE, "target": TARGET, "refs": [str(new.pk)]}
    jobs.run(jobs.start("classify", params, wake=False))
    return Prediction.objects.select_related("entry", "release").get()


def test_it_looks_like_these_products(suggestion: Prediction) -> None:
    found = explanations.nearest_labelled(suggestion, 4)
    assert [one.name for one in found] == ["red"] * 4
    assert [one.similarity for one in found] == sorted((one.similarity for one in found), reverse=True)
    assert suggestion.entry not in [one.entry for one in found]


def test_variants_and_labels_that_only_a_model_gave_are_no_evidence(suggestion: Prediction) -> None:
    first, second = (one.entry for one in explanations.nearest_labelled(suggestion, 2))
    CatalogueEntry.objects.filter(pk=first.pk).update(group=suggestion.entry.group)
    Decision.objects.create(
        source=SOURCE, object_id=second.object_id, target=TARGET, verb="apply", label=str(shelf("red").pk)
    )
    found = [one.entry.pk for one in explanations.nearest_labelled(suggestion, 24)]
    assert len(found) == 22
    assert not {first.pk, second.pk} & set(found)


def test_a_heat_map_is_a_transparent_picture_with_the_photos_aspect(suggestion: Prediction) -> None:
    data = explanations.heat_map(suggestion)
    image = Image.open(io.BytesIO(data))
    product = Product.objects.get(pk=suggestion.entry.object_id)
    assert (image.format, image.mode) == ("PNG", "RGBA")
    assert image.width * product.image.height == image.height * product.image.width
    strength = np.asarray(image)[..., 3]
    assert strength.min() < strength.max() <= explanations.OPAQUE


def test_a_heat_map_is_drawn_once(suggestion: Prediction, monkeypatch: pytest.MonkeyPatch) -> None:
    first = explanations.heat_map(suggestion)
    monkeypatch.setattr(explanations, "_draw", lambda *_: b"drawn again")
    assert explanations.heat_map(suggestion) == first
    cache.clear()
    assert explanations.heat_map(suggestion) == b"drawn again"


def test_where_there_is_no_map_the_reason_is_told(
    suggestion: Prediction, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(row: Prediction) -> Any:
        cache.clear()
        with pytest.raises(InvalidRequest) as caught:
            explanations.heat_map(row)
        return caught.value.code

    monkeypatch.setattr(explanations, "evidence", lambda *_: None)
    assert refused(suggestion) == "no_map"
    Product.objects.filter(pk=suggestion.entry.object_id).update(image="gone.png")
    assert refused(suggestion) == "no_map"
    ClassifierRelease.objects.all().delete()
    assert refused(Prediction.objects.get()) == "no_map"
