from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from demo_shop.models import Product
from shopvision import jobs, signals
from shopvision.classification import review
from shopvision.classification.dataset import read_dataset
from shopvision.classification.models import ClassifierRelease, Decision, Prediction
from shopvision.exceptions import InvalidRequest
from shopvision.indexing import encoder_releases
from shopvision.indexing.pipeline import drain_outbox
from tests.classification.conftest import SOURCE, TARGET, make_product, shelf

pytestmark = pytest.mark.django_db


@pytest.fixture
def suggested(trained: ClassifierRelease) -> list[Prediction]:
    """Suggestions for three red products without a label."""
    made = [make_product("red", 40_000 + n, labelled=False) for n in range(3)]
    drain_outbox()
    jobs.run(
        jobs.start(
            "classify",
            {"source": SOURCE, "target": TARGET, "refs": [str(one.pk) for one in made]},
            wake=False,
        )
    )
    return list(Prediction.objects.order_by("pk").select_related("entry"))


@pytest.fixture
def applied(suggested: list[Prediction]) -> list[Prediction]:
    """The same, applied by a job."""
    live = ClassifierRelease.objects.get()
    live.metrics["thresholds"] = {"0.05": {"threshold": 0.1}}
    live.save()
    keys = [one.entry.object_id for one in suggested]
    params = {"source": SOURCE, "target": TARGET, "refs": keys, "acceptable_error": 0.05}
    jobs.run(jobs.start("classify", params, wake=False))
    found = list(Prediction.objects.order_by("pk").select_related("entry"))
    assert {one.state for one in found} == {"applied"}
    return found


def product_of(row: Prediction) -> Product:
    return Product.objects.get(pk=row.entry.object_id)


def test_the_queue_shows_what_is_most_worth_looking_at_first(suggested: list[Prediction]) -> None:
    for row, value in zip(suggested, (1.0, 3.0, 2.0), strict=True):
        Prediction.objects.filter(pk=row.pk).update(value=value)
    order = [suggested[1].pk, suggested[2].pk, suggested[0].pk]
    assert [row.pk for row in review.queue(SOURCE, TARGET)] == order
    Prediction.objects.filter(pk=order[0]).update(state="accepted")
    assert [row.pk for row in review.queue()] == order[1:]
    assert review.queue("testshop.article").count() == 0


def test_correcting_writes_the_other_label_and_it_becomes_the_label_to_learn_from(
    suggested: list[Prediction], reviewer: Any
) -> None:
    row = suggested[0]
    decision = review.correct(row, reviewer, str(shelf("green").pk))
    assert (row.state, product_of(row).category) == ("corrected", shelf("green"))
    assert (decision.verb, decision.name, decision.suggested) == ("correct", "green", str(shelf("red").pk))
    dataset = read_dataset(SOURCE, TARGET, encoder_releases.live().row.backbone_digest)
    (item,) = [one for one in dataset.items if one.key == row.entry.object_id]
    assert (dataset.labels[item.label].name, item.decided) == ("green", True)


def test_correcting_to_the_suggestion_accepts_it_and_to_nonsense_is_refused(
    suggested: list[Prediction], reviewer: Any
) -> None:
    assert review.correct(suggested[0], reviewer, suggested[0].label).verb == "accept"
    with pytest.raises(InvalidRequest) as caught:
        review.correct(suggested[1], reviewer, "no such shelf")
    assert caught.value.code == "unknown_label"
    assert Decision.objects.count() == 1


def test_rejecting_leaves_the_shop_alone(suggested: list[Prediction], reviewer: Any) -> None:
    decision = review.reject(suggested[0], reviewer)
    assert (suggested[0].state, product_of(suggested[0]).category) == ("rejected", None)
    assert (decision.label, decision.written) == (suggested[0].label, False)


def test_two_people_decide_of_one_product_and_the_second_is_told_who_was_first(
    suggested: list[Prediction], reviewer: Any
) -> None:
    other = get_user_model().objects.create_user("otto")
    seen_by_otto = Prediction.objects.select_related("entry").get(pk=suggested[0].pk)
    review.accept(suggested[0], reviewer)
    for decide in (review.accept, review.reject):
        with pytest.raises(InvalidRequest, match="meanwhile by rita") as caught:
            decide(seen_by_otto, other)
        assert caught.value.code == "decided"
    assert Decision.objects.count() == 1


def test_who_has_decided_already_is_told_so_and_not_that_somebody_was_faster(
    suggested: list[Prediction], reviewer: Any
) -> None:
    row = suggested[0]
    review.accept(row, reviewer)
    for decide in (review.accept, review.reject):
        with pytest.raises(InvalidRequest) as caught:
            decide(row, reviewer)
        assert caught.value.code == "decided"
        assert str(caught.value) == (
            f"you have decided this already ({row.name}, accepted); undo your decision to change it"
        )
    assert Decision.objects.count() == 1


def test_a_suggestion_that_changed_meanwhile_is_not_accepted_unseen(
    suggested: list[Prediction], reviewer: Any
) -> None:
    Prediction.objects.filter(pk=suggested[0].pk).update(label=str(shelf("blue").pk), name="blue")
    with pytest.raises(InvalidRequest, match="look again"):
        review.accept(suggested[0], reviewer)


def test_a_product_that_left_the_shop_is_told(suggested: list[Prediction], reviewer: Any) -> None:
    Product.objects.filter(pk=suggested[0].entry.object_id).delete()
    with pytest.raises(InvalidRequest) as caught:
        review.accept(suggested[0], reviewer)
    assert caught.value.code == "gone"


def test_confirming_what_a_job_applied_writes_nothing_to_the_shop(
    applied: list[Prediction], reviewer: Any
) -> None:
    decision = review.accept(applied[0], reviewer)
    assert (decision.written, applied[0].state) == (False, "accepted")
    assert applied[0].current == str(shelf("red").pk)
    assert product_of(applied[0]).category == shelf("red")


def test_rejecting_what_a_job_applied_takes_it_back_and_correcting_replaces_it(
    applied: list[Prediction], reviewer: Any
) -> None:
    review.reject(applied[0], reviewer)
    assert product_of(applied[0]).category is None
    review.correct(applied[1], reviewer, str(shelf("blue").pk))
    assert product_of(applied[1]).category == shelf("blue")
    undone = Decision.objects.filter(verb="apply").exclude(undone_at=None)
    assert set(undone.values_list("object_id", flat=True)) == {row.entry.object_id for row in applied[:2]}


def test_a_decision_is_taken_back_with_the_shops_product(suggested: list[Prediction], reviewer: Any) -> None:
    decision = review.accept(suggested[0], reviewer)
    back = review.undo(decision, reviewer)
    assert (back.state, back.current, product_of(back).category) == ("suggested", "", None)
    decision.refresh_from_db()
    assert decision.undone_at is not None
    assert Decision.objects.filter(verb="undo", user=reviewer).count() == 1
    with pytest.raises(InvalidRequest, match="undone already") as caught:
        review.undo(decision, reviewer)
    assert caught.value.code == "decided"
    later = review.reject(back, reviewer)  # it can be decided anew
    Decision.objects.filter(pk=decision.pk).update(undone_at=None)
    with pytest.raises(InvalidRequest, match="undo the later decision first"):
        review.undo(decision, reviewer)
    assert later.verb == "reject"


def test_taking_back_leaves_what_the_shop_changed_since(suggested: list[Prediction], reviewer: Any) -> None:
    decision = review.accept(suggested[0], reviewer)
    Product.objects.filter(pk=suggested[0].entry.object_id).update(category=shelf("blue"))
    review.undo(decision, reviewer)
    assert product_of(suggested[0]).category == shelf("blue")


def test_many_are_accepted_and_those_decided_meanwhile_are_left(
    suggested: list[Prediction], reviewer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    review.reject(suggested[0], reviewer)
    assert review.bulk_accept(Prediction.objects.all(), reviewer) == 2
    assert Decision.objects.filter(verb="accept").count() == 2
    monkeypatch.setattr(review, "MAX_AT_ONCE", 2)
    with pytest.raises(InvalidRequest, match="2 suggestions at most"):
        review.bulk_accept(Prediction.objects.all(), reviewer)


def test_listeners_hear_of_a_decision(suggested: list[Prediction], reviewer: Any) -> None:
    heard: list[Any] = []

    def listen(sender: Any, product: Any, decision: Decision, **kwargs: Any) -> None:
        heard.append((str(product), decision.verb))

    signals.prediction_reviewed.connect(listen)
    try:
        review.reject(suggested[0], reviewer)
    finally:
        signals.prediction_reviewed.disconnect(listen)
    assert heard == [(f"{SOURCE}:{suggested[0].entry.object_id}", "reject")]
