from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from shopvision import jobs
from shopvision.tuning import jobs as work

pytestmark = pytest.mark.django_db


def test_tuning_starts_once_there_are_enough_photos_and_not_again_before_they_doubled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[str] = []
    photos = [0]
    monkeypatch.setattr(work, "tune_due", lambda: photos[0])
    monkeypatch.setattr(work.jobs, "start", started.append)
    work.tune_if_due()
    assert started == []
    photos[0] = 50
    work.tune_if_due()
    assert started == ["tune"]
    jobs.Job.objects.create(kind="tune", state="done", result={"photos": 50})
    photos[0] = 99
    work.tune_if_due()
    assert started == ["tune"]
    photos[0] = 100
    work.tune_if_due()
    assert started == ["tune", "tune"]


def test_photo_searches_are_learned_from_as_often_as_rankers_are_trained(
    monkeypatch: pytest.MonkeyPatch, live_release: Any
) -> None:
    started: list[str] = []
    enough, generic = [False], [True]
    monkeypatch.setattr(work, "enough_since", lambda row: enough[0])
    monkeypatch.setattr(work.encoder_releases, "is_generic", lambda row: generic[0])
    monkeypatch.setattr(work.jobs, "start", started.append)
    work.tune_from_clicks_if_due()
    enough[0] = True
    work.tune_from_clicks_if_due()  # the shop's own photos come first
    assert started == []
    generic[0] = False
    work.tune_from_clicks_if_due()
    assert started == ["tune_from_clicks"]
    job = jobs.Job.objects.create(kind="tune_from_clicks", state="failed")
    work.tune_from_clicks_if_due()
    assert len(started) == 1
    jobs.Job.objects.filter(pk=job.pk).update(created_at=timezone.now() - timedelta(days=8))
    work.tune_from_clicks_if_due()
    assert len(started) == 2
