from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from demo_shop.models import Product
from shopvision import jobs
from shopvision.classification import retraining
from shopvision.classification.models import ClassifierRelease, Decision
from shopvision.jobs import Job, periodic
from tests.classification.conftest import SOURCE, TARGET

pytestmark = pytest.mark.django_db


def set_(settings: Any, **values: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, **values}


def test_nothing_is_due_after_a_training_and_nothing_without_one(
    labelled: list[Product], settings: Any
) -> None:
    set_(settings, RETRAIN_AFTER={"days": 1, "decisions": 1})
    assert retraining.due() == []


def test_it_is_due_by_age_and_by_decisions_of_people(trained: ClassifierRelease, settings: Any) -> None:
    assert retraining.due() == []
    set_(settings, RETRAIN_AFTER={"decisions": 2})
    for verb in ("accept", "apply", "correct"):
        Decision.objects.create(source=SOURCE, object_id="1", target=TARGET, verb=verb, label="x")
    ((params, reason),) = retraining.due()
    assert params == {"source": SOURCE, "target": TARGET}
    assert "decided 2 times" in reason
    set_(settings, RETRAIN_AFTER={"decisions": 0})
    assert retraining.due() == []
    set_(settings, RETRAIN_AFTER={"days": 7})
    ClassifierRelease.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert "7 days old" in retraining.due()[0][1]


def test_an_encoder_switch_trains_anew_and_what_failed_is_not_repeated_at_once(
    trained: ClassifierRelease,
) -> None:
    ClassifierRelease.objects.update(backbone_digest="f" * 64)
    assert retraining.start_due(wake=False) == 1
    assert retraining.start_due(wake=False) == 0  # it waits
    job = Job.objects.get(kind="train")
    Job.objects.update(state="failed")
    assert retraining.start_due(wake=False) == 0  # it failed just now
    Job.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert retraining.start_due(wake=False) == 1
    job = Job.objects.get(kind="train", state="queued")
    jobs.run(job)
    job.refresh_from_db()
    assert job.state == "done"
    live = ClassifierRelease.objects.get(state="live")
    assert live.pk != trained.pk
    assert live.backbone_digest != "f" * 64
    assert retraining.due() == []


def test_a_worker_starts_what_is_due(trained: ClassifierRelease) -> None:
    ClassifierRelease.objects.update(backbone_digest="f" * 64)
    periodic.turn(periodic.Clock(), "command", lambda: False, lambda: 0)
    assert Job.objects.filter(kind="train").exists()
