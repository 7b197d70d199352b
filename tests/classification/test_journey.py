"""The whole way: labels in the shop -> classifier -> suggestions -> a person accepts."""

from __future__ import annotations

from typing import Any

import pytest

from demo_shop.models import Product
from shopvision import jobs
from shopvision.classification import review
from shopvision.classification.models import ClassifierRelease, Decision, Prediction
from shopvision.indexing.pipeline import drain_outbox
from tests.classification.conftest import SOURCE, TARGET, make_product, shelf

pytestmark = pytest.mark.django_db


def test_from_the_shops_labels_to_an_accepted_suggestion(labelled: list[Product], reviewer: Any) -> None:
    job = jobs.start("train", {"source": SOURCE, "target": TARGET}, wake=False)
    jobs.run(job)
    job.refresh_from_db()
    assert (job.state, job.message) == ("done", None)
    live = ClassifierRelease.objects.get(state="live")
    assert live.metrics["accuracy"] > 0.9
    new = [make_product("blue", 99_000 + n, labelled=False) for n in range(3)]
    drain_outbox()
    job = jobs.start(
        "classify",
        {"source": SOURCE, "target": TARGET, "refs": [str(p.pk) for p in new]},
        reviewer,
        wake=False,
    )
    jobs.run(job)
    job.refresh_from_db()
    assert (job.state, job.done, job.failed, job.result["suggested"]) == ("done", 3, 0, 3)
    assert {row.name for row in Prediction.objects.all()} == {"blue"}
    assert Product.objects.filter(pk__in=[p.pk for p in new]).exclude(category=None).count() == 0
    first = review.queue(SOURCE, TARGET).first()
    assert first is not None
    decision = review.accept(first, reviewer)
    product = Product.objects.get(pk=first.entry.object_id)
    assert product.category == shelf("blue")
    assert (decision.verb, decision.written, decision.before, decision.user) == (
        "accept",
        True,
        None,
        reviewer,
    )
    assert Decision.objects.count() == 1
