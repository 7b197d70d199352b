from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from django.db.models.signals import post_save

from demo_shop.models import Product
from shopvision import jobs
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage
from shopvision.classification import review, selection
from shopvision.classification.jobs import estimate_classify
from shopvision.classification.models import ClassifierRelease, Decision, Prediction
from shopvision.encoders.descriptor import pack, unpack
from shopvision.exceptions import InvalidRequest, Misconfigured
from shopvision.index.models import Descriptor
from shopvision.indexing.pipeline import drain_outbox
from shopvision.jobs import Job
from shopvision.messages import Message
from tests.classification.conftest import SOURCE, TARGET, make_product, shelf

pytestmark = pytest.mark.django_db
ALL = {"source": SOURCE, "target": TARGET}


def classify(error: float | None = None, **params: Any) -> Job:
    job = jobs.start("classify", {**ALL, "acceptable_error": error, **params}, wake=False)
    jobs.run(job)
    job.refresh_from_db()
    return job


def undo(job: Job) -> Job:
    found = jobs.start("undo", {"job": str(job.pk)}, wake=False)
    jobs.run(found)
    found.refresh_from_db()
    return found


@pytest.fixture
def sure(trained: ClassifierRelease) -> ClassifierRelease:
    """The classifier, sure of itself from a probability of 0.4 on: the shop is too small to measure 1 %."""
    metrics = {**trained.metrics, "thresholds": {"0.05": {"threshold": 0.4}, "0.01": None}}
    ClassifierRelease.objects.filter(pk=trained.pk).update(metrics=metrics)
    trained.refresh_from_db()
    return trained


@pytest.fixture
def unlabelled(sure: ClassifierRelease) -> list[Product]:
    """Six products without a category, two of each colour."""
    made = [
        make_product(name, 30_000 + 10 * n + k, labelled=False)
        for n, name in enumerate(("red", "green", "blue"))
        for k in range(2)
    ]
    drain_outbox()
    return made


def shelves(products: list[Product]) -> list[str]:
    rows = Product.objects.filter(pk__in=[one.pk for one in products]).order_by("pk")
    return [one.category.name if one.category else "" for one in rows.select_related("category")]


def test_a_whole_catalogue_gets_suggestions_and_nothing_is_changed(unlabelled: list[Product]) -> None:
    job = classify()
    assert (job.state, job.total, job.done, job.failed) == ("done", 30, 30, 0)
    assert job.result["suggested"] == Prediction.objects.count() == 30
    assert shelves(unlabelled) == [""] * 6
    assert Decision.objects.count() == 0


def test_what_is_sure_enough_is_applied_only_where_the_shop_has_no_label(
    unlabelled: list[Product], labelled: list[Product]
) -> None:
    wrong = labelled[0]
    Product.objects.filter(pk=wrong.pk).update(category=shelf("blue"))
    job = classify(0.05)
    assert job.result["applied"] == 6
    assert shelves(unlabelled) == ["red", "red", "green", "green", "blue", "blue"]
    assert shelves([wrong]) == ["blue"]  # the shop said so itself
    assert Prediction.objects.filter(state="applied").count() == 6
    decisions = Decision.objects.filter(verb="apply", job=job, written=True, user=None)
    assert [one.before for one in decisions] == [None] * 6


def test_doing_a_page_again_applies_nothing_twice(unlabelled: list[Product]) -> None:
    classify(0.05)
    again = classify(0.05, again=True)
    assert again.result["applied"] == 0
    assert Decision.objects.count() == 6


def test_what_a_person_decided_is_not_applied_over(unlabelled: list[Product], reviewer: Any) -> None:
    classify()
    first = unlabelled[0]
    review.reject(Prediction.objects.get(entry__object_id=str(first.pk)), reviewer)
    job = classify(0.05, again=True)
    assert job.result["decided"] == 1
    assert shelves(unlabelled) == ["", "red", "green", "green", "blue", "blue"]


def test_a_later_classifier_may_correct_what_an_earlier_job_applied(
    unlabelled: list[Product], sure: ClassifierRelease
) -> None:
    classify(0.05)
    one = unlabelled[0]
    red, green = str(shelf("red").pk), str(shelf("green").pk)
    Decision.objects.filter(object_id=str(one.pk)).update(label=green, after=[green])
    Product.objects.filter(pk=one.pk).update(category=shelf("green"))
    Prediction.objects.filter(entry__object_id=str(one.pk)).update(label=green)
    job = classify(0.05, again=True)
    assert job.result["applied"] == 1
    assert shelves([one]) == ["red"]
    assert Decision.objects.filter(object_id=str(one.pk)).first().after == [red]  # type: ignore[union-attr]


def test_undo_restores_and_leaves_alone_what_was_changed_since(
    unlabelled: list[Product], reviewer: Any
) -> None:
    job = classify(0.05)
    Product.objects.filter(pk=unlabelled[0].pk).update(category=shelf("blue"))
    review.accept(Prediction.objects.get(entry__object_id=str(unlabelled[1].pk)), reviewer)
    Product.objects.filter(pk=unlabelled[2].pk).delete()
    undone = undo(job)
    assert (undone.state, undone.result["restored"], undone.result["left"]) == ("done", 3, 3)
    assert shelves(unlabelled) == ["blue", "red", "", "", ""]
    reasons = {one.item.rpartition(":")[2]: one.message for one in undone.errors.all()}
    assert reasons == {
        str(unlabelled[0].pk): Message("left_changed_since"),
        str(unlabelled[1].pk): Message("left_decided_since"),
        str(unlabelled[2].pk): Message("left_product_gone"),
    }
    assert Decision.objects.filter(verb="undo", job=undone).count() == 3
    assert Decision.objects.filter(verb="apply").exclude(undone_at=None).count() == 3


def test_what_was_undone_cannot_be_undone_again_but_can_be_applied_again(unlabelled: list[Product]) -> None:
    job = classify(0.05)
    undo(job)
    assert Prediction.objects.filter(state="applied").count() == 0
    with pytest.raises(InvalidRequest) as caught:
        jobs.start("undo", {"job": str(job.pk)}, wake=False)
    assert caught.value.code == "nothing_to_undo"
    assert classify(0.05, again=True).result["applied"] == 6


def test_a_shop_that_fails_on_one_product_costs_the_others_nothing(unlabelled: list[Product]) -> None:
    def refuse(sender: Any, instance: Product, **kwargs: Any) -> None:
        if instance.pk == unlabelled[0].pk:
            raise ValueError("the shop's own rule")

    post_save.connect(refuse, sender=Product)
    try:
        job = classify(0.05)
    finally:
        post_save.disconnect(refuse, sender=Product)
    assert (job.state, job.failed, job.result["applied"]) == ("done", 1, 5)
    assert str(job.errors.get().message) == "ValueError: the shop's own rule"
    assert shelves(unlabelled)[0] == ""
    assert Decision.objects.count() == 5


def test_a_job_is_cancelled_after_the_page_in_hand_and_resumed_where_it_stopped(
    unlabelled: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "PAGE", 7)
    job = jobs.start("classify", {**ALL, "acceptable_error": 0.05}, wake=False)
    jobs.run(job, watch=lambda now: jobs.cancel(now) if now.done == 14 else None)
    job.refresh_from_db()
    assert (job.state, job.done) == ("cancelled", 14)
    assert Prediction.objects.count() == 14
    jobs.run(jobs.resume(job, wake=False))
    job.refresh_from_db()
    assert (job.state, job.done, job.result["suggested"], job.result["applied"]) == ("done", 30, 30, 6)
    assert Prediction.objects.count() == 30
    assert undo(job).result == {"restored": 6, "left": 0, "seconds": undo_seconds()}


def undo_seconds() -> float:
    found = Job.objects.get(kind="undo").result["seconds"]
    return float(found)


def test_an_error_that_cannot_be_kept_and_wrong_params_are_refused_in_words(sure: ClassifierRelease) -> None:
    with pytest.raises(InvalidRequest, match="takes one of"):
        jobs.estimate("classify", {**ALL, "acceptable_error": 0.3})
    with pytest.raises(InvalidRequest, match="cannot keep the error at 1%"):
        jobs.estimate("classify", {**ALL, "acceptable_error": 0.01})
    for params, code in (
        ({**ALL, "acceptable_error": 0.01}, "unreachable_error"),
        ({"source": SOURCE, "target": "taste"}, "unknown_target"),
        ({"target": TARGET}, "invalid_selection"),
        ({**ALL, "refs": []}, "invalid_selection"),
        ({**ALL, "refs": ["1"] * 1001}, "invalid_selection"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            jobs.estimate("classify", params)
        assert caught.value.code == code
    with pytest.raises(Misconfigured, match="no catalogue"):
        jobs.estimate("classify", {"source": "no.such", "target": TARGET})


def test_an_estimate_counts_products_and_photos_to_describe(
    trained: ClassifierRelease, labelled: list[Product]
) -> None:
    found = estimate_classify({**ALL, "refs": [str(one.pk) for one in labelled[:6]]})
    assert (found["products"], found["images"], found["release"]) == (6, 0, trained.pk)
    trained.delete()
    with pytest.raises(InvalidRequest) as caught:
        estimate_classify(ALL)
    assert caught.value.code == "no_classifier"


def test_train_goes_on_when_one_of_several_catalogues_cannot_be_trained(labelled: list[Product]) -> None:
    job = jobs.start("train", {}, wake=False)
    jobs.run(job)
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 3)  # categories of both shops, and the demo's colours
    assert job.result[f"{SOURCE} {TARGET}"]["state"] == "live"
    assert "two or more apart" in str(job.errors.get(item="testshop.article category").message)
    alone = jobs.start("train", {"source": "testshop.article"}, wake=False)
    jobs.run(alone)
    alone.refresh_from_db()
    assert alone.state == "failed"


@pytest.mark.slow
def test_five_thousand_products_in_one_job_with_flat_memory(trained: ClassifierRelease) -> None:
    """Descriptors are there, so this is reading, arithmetic and writing; a page of it is all that is held."""
    stock(5000, trained.backbone_digest)
    jobs.run(jobs.start("classify", {**ALL, "refs": [str(Product.objects.first().pk)]}, wake=False))  # type: ignore[union-attr]
    job = jobs.start("classify", ALL, wake=False)
    peaks: list[int] = []

    def watch(now: Job) -> None:
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.reset_peak()

    tracemalloc.start()
    try:
        jobs.run(job, watch=watch)
    finally:
        tracemalloc.stop()
    job.refresh_from_db()
    assert (job.state, job.done, job.failed) == ("done", 5024, 0)
    assert Prediction.objects.count() == 5024
    pages = peaks[1:]
    assert len(pages) == 6
    assert max(pages) < 100 * 2**20  # bytes
    assert max(pages[3:]) < 1.2 * max(pages[:3])


def stock(count: int, backbone: str) -> None:
    """Products as indexing leaves them: rows, and descriptors packed from random blocks of the right sizes."""
    rng = np.random.default_rng(0)
    sizes = {n: b.shape[1] for n, b in unpack([bytes(Descriptor.objects.first().data)]).items()}  # type: ignore[union-attr]
    blocks = {name: rng.random((200, size), np.float32) for name, size in sizes.items()}
    packed = [pack(blocks, row) for row in range(200)]
    made = Product.objects.bulk_create(Product(sku=f"s{n}", title=f"stock {n}") for n in range(count))
    entries = CatalogueEntry.objects.bulk_create(
        CatalogueEntry(source=SOURCE, object_id=str(one.pk), group=f"stock {one.pk}", state="indexed")
        for one in made
    )
    images = CatalogueImage.objects.bulk_create(
        CatalogueImage(entry=entry, name="stock.png", state="indexed") for entry in entries
    )
    Descriptor.objects.bulk_create(
        Descriptor(image=image, backbone_digest=backbone, data=packed[n % 200])
        for n, image in enumerate(images)
    )
