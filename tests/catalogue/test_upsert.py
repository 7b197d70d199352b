"""Rows put in at once: new ones, those that are there, and those that must be left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from shopvision import timestamps
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage
from shopvision.catalogue.upsert import upsert
from shopvision.classification.models import Prediction
from shopvision.jobs import Job

pytestmark = pytest.mark.django_db
THEN = timestamps.as_kept(datetime(2026, 11, 1, 12, 30, 15, 250000, UTC))


def entry(number: int) -> CatalogueEntry:
    return CatalogueEntry.objects.create(
        source="shop.product", object_id=str(number), title=f"thing {number}"
    )


def suggestion(of: CatalogueEntry, label: str, **values: Any) -> Prediction:
    given = {"name": label, "probability": 0.75, "target": "category", "changed_at": THEN, **values}
    return Prediction(entry=of, label=label, **given)


def test_every_kind_of_value_comes_back_as_it_went_in() -> None:
    job = Job.objects.create(kind="classify")
    row = suggestion(
        entry(1), 'Caps "and" ‘hats’ 帽子', top=[{"label": "a", "probability": 0.75}], job=job, known=0.5
    )
    upsert(Prediction, [row], ["entry", "target"], ["label"])
    found = Prediction.objects.get()
    for name in (
        "entry_id",
        "label",
        "name",
        "probability",
        "known",
        "top",
        "current",
        "state",
        "job_id",
        "value",
    ):
        assert getattr(found, name) == getattr(row, name), name
    assert found.release is None
    assert found.created_at <= found.changed_at  # set by the fields themselves, as save() does


def test_rows_that_are_there_are_updated_only_where_told() -> None:
    first, second = entry(1), entry(2)
    upsert(Prediction, [suggestion(first, "caps")], ["entry", "target"], [])
    both = [suggestion(first, "hats", probability=0.25), suggestion(second, "hats", probability=0.25)]
    upsert(Prediction, both, ["entry", "target"], ["label"])
    rows = Prediction.objects.order_by("entry").values_list("label", "probability")
    assert list(rows) == [("hats", 0.75), ("hats", 0.25)]


def test_with_nothing_to_update_what_is_there_is_left_alone() -> None:
    one = entry(1)
    upsert(Prediction, [suggestion(one, "caps")], ["entry", "target"], [])
    upsert(Prediction, [suggestion(one, "hats")], ["entry", "target"], [])
    assert Prediction.objects.get().label == "caps"


def test_rows_are_found_by_their_own_key() -> None:
    image = CatalogueImage.objects.create(entry=entry(1), name="a.jpg")
    image.state, image.name = CatalogueImage.State.REJECTED, "b.jpg"
    upsert(CatalogueImage, [image], ["id"], ["state"])
    image.refresh_from_db()
    assert (image.state, image.name) == (CatalogueImage.State.REJECTED, "a.jpg")


def test_no_rows_are_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        upsert(Prediction, [], ["entry", "target"], ["label"])


def test_times_are_each_rows_own_but_those_that_fill_themselves_in() -> None:
    rows = [suggestion(entry(n), "caps") for n in (1, 2)]
    upsert(Prediction, rows, ["entry", "target"], [])
    first, second = Prediction.objects.order_by("entry")
    assert first.created_at == second.created_at == rows[0].created_at == rows[1].created_at
    jobs = [Job(kind="train", finished_at=when) for when in (None, THEN)]
    upsert(Job, jobs, ["id"], [])
    assert sorted(Job.objects.values_list("finished_at", flat=True), key=str, reverse=True) == [
        None,
        THEN,
    ]
