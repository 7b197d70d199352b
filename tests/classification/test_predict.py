from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from demo_shop.models import Product
from shopvision import signals, timestamps
from shopvision.catalogue.models import CatalogueEntry
from shopvision.classification.classifier_releases import open_live
from shopvision.classification.inference import opinion
from shopvision.classification.models import ClassifierRelease, Decision, Prediction
from shopvision.classification.predict import Predicted, look, predict_photo, suggestions, worth, write
from shopvision.classifiers.base import Examples
from shopvision.encoders.descriptor import unpack
from shopvision.exceptions import ImageRejected, InvalidRequest
from shopvision.index.models import Descriptor
from shopvision.indexing.pipeline import drain_outbox
from shopvision.messages import Message
from tests.classification.conftest import COLOURS, SOURCE, TARGET, coloured, make_product, shelf
from tests.fakes import FakeEncoder

pytestmark = pytest.mark.django_db


def predicted(keys: list[str]) -> Predicted:
    """What a job's three steps make of products."""
    opened = open_live(SOURCE, TARGET)
    looked = look(keys, opened)
    return suggestions(looked, opinion(opened.classifier, looked.material), TARGET, opened)


def suggest(*products: Product, job: Any = None) -> list[Prediction]:
    found = predicted([str(one.pk) for one in products])
    return write(found.rows, SOURCE, job)


def test_a_products_probabilities_are_the_mean_over_its_photos(trained: ClassifierRelease) -> None:
    both = make_product("red", 600, photos=2, labelled=False)
    drain_outbox()
    opened = open_live(SOURCE, TARGET)
    (row,) = predicted([str(both.pk)]).rows
    alone = []
    for image in Descriptor.objects.filter(image__entry__object_id=str(both.pk)):
        examples = Examples(unpack([bytes(image.data)]), [""])
        alone.append(opened.classifier.probabilities(examples)[0])
    assert len(alone) == 2
    mean = np.mean(alone, axis=0)
    assert row.label == opened.classifier.labels[mean.argmax()] == str(shelf("red").pk)
    assert row.probability == pytest.approx(float(mean.max()), abs=1e-4)
    assert [one["label"] for one in row.top] == [opened.classifier.labels[n] for n in np.argsort(-mean)]
    assert sum(one["probability"] for one in row.top) == pytest.approx(1, abs=1e-3)


def test_products_nobody_looked_at_are_described_first(trained: ClassifierRelease, live_release: Any) -> None:
    encoder = live_release.encoder
    assert isinstance(encoder, FakeEncoder)
    product = make_product("green", 610, labelled=False)
    before = encoder.images_seen
    (row,) = suggest(product)
    assert (row.name, encoder.images_seen) == ("green", before + 1)
    suggest(product)
    assert encoder.images_seen == before + 1


def test_products_without_a_usable_photo_and_products_gone_are_told(trained: ClassifierRelease) -> None:
    bare = Product.objects.create(sku="bare", title="bare")
    found = predicted([str(bare.pk), "987654"])
    assert found.rows == []
    assert found.problems == {
        f"{SOURCE}:{bare.pk}": Message("photo_failed"),
        f"{SOURCE}:987654": Message("product_not_in_shop"),
    }


def test_writing_twice_leaves_one_row(trained: ClassifierRelease, labelled: list[Product]) -> None:
    suggest(*labelled)
    suggest(*labelled)
    assert Prediction.objects.count() == 24
    assert set(Prediction.objects.values_list("state", flat=True)) == {"suggested"}


@pytest.mark.parametrize("state", ["accepted", "corrected", "rejected"])
def test_what_a_person_decided_is_never_overwritten(
    trained: ClassifierRelease, labelled: list[Product], state: str
) -> None:
    product = labelled[0]
    suggest(product)
    Prediction.objects.update(state=state, label="by hand", name="by hand", probability=0.123)
    assert suggest(product) == []
    row = Prediction.objects.get()
    assert (row.state, row.label, row.probability) == (state, "by hand", 0.123)


def test_a_decision_counts_even_when_the_product_came_back_with_a_new_entry(
    trained: ClassifierRelease, labelled: list[Product]
) -> None:
    key = str(labelled[0].pk)
    Decision.objects.create(source=SOURCE, object_id=key, target=TARGET, verb="reject", label="x")
    assert suggest(labelled[0]) == []
    Decision.objects.update(undone_at=timestamps.from_seconds(0))
    assert len(suggest(labelled[0])) == 1


def test_a_decision_made_while_a_job_predicts_stands(
    trained: ClassifierRelease, labelled: list[Product]
) -> None:
    """The job has looked at the product already when the person accepts; its write must notice."""
    suggest(labelled[0])
    late = predicted([str(labelled[0].pk)])
    Prediction.objects.update(state="accepted")
    assert write(late.rows, SOURCE) == []
    assert Prediction.objects.get().state == "accepted"


def test_a_product_that_left_meanwhile_is_no_error(
    trained: ClassifierRelease, labelled: list[Product]
) -> None:
    late = predicted([str(labelled[0].pk)])
    CatalogueEntry.objects.filter(object_id=str(labelled[0].pk)).delete()
    assert write(late.rows, SOURCE) == []


def test_worth_is_views_times_doubt() -> None:
    """By hand: sureness 3/4. No label, or the same: 1/4 of doubt. Another label: 3/4."""
    assert worth(0.75, 0, [], "a") == 0.25
    assert worth(0.75, 3, ["a"], "a") == 1.0
    assert worth(0.75, 3, ["b"], "a") == 3.0


def test_a_photo_is_judged_in_memory(trained: ClassifierRelease) -> None:
    answer = predict_photo(coloured(COLOURS["blue"], 4242).read(), SOURCE, TARGET)
    assert (answer.top[0].name, answer.release.pk, len(answer.top)) == ("blue", trained.pk, 3)
    assert 0 <= answer.known <= 1
    with pytest.raises(ImageRejected):
        predict_photo(b"no photo", SOURCE, TARGET)
    trained.delete()
    with pytest.raises(InvalidRequest) as caught:
        predict_photo(b"", SOURCE, TARGET)
    assert caught.value.code == "no_classifier"


def test_listeners_hear_of_every_suggestion(trained: ClassifierRelease, labelled: list[Product]) -> None:
    heard: list[Any] = []

    def listen(sender: Any, product: Any, prediction: Any, **kwargs: Any) -> None:
        heard.append((str(product), prediction.name))

    signals.product_classified.connect(listen)
    try:
        suggest(labelled[0])
    finally:
        signals.product_classified.disconnect(listen)
    assert heard == [(f"{SOURCE}:{labelled[0].pk}", "red")]
