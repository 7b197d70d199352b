from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from shopvision import jobs
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage, Outbox
from shopvision.events.models import Event, ProductCount
from shopvision.indexing import encoder_releases
from shopvision.jobs import Job
from shopvision.messages import Message
from shopvision.privacy.models import ConsentRecord, PrivacyLog
from shopvision.search.models import Demand
from tests.factories import DemoProductFactory

pytestmark = pytest.mark.django_db
PAGES = (
    "overview", "catalogueentry", "catalogueimage", "outbox", "job", "encoderrelease", "demand",
    "prediction", "decision", "classifierrelease", "event", "event_views", "privacylog",
)  # fmt: skip


def address(page: str) -> str:
    return reverse(f"admin:shopvision_{page}" + ("" if "_" in page else "_changelist"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_with_a_shop_and_without_one(
    boss: Client, indexed_shop: list[Any], page: str
) -> None:
    assert boss.get(address(page)).status_code == 200


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_before_anything_is_indexed(boss: Client, data_dir: Any, page: str) -> None:
    assert boss.get(address(page)).status_code == 200


def test_the_overview_counts_and_says_drift_is_zero(boss: Client, indexed_shop: list[Any]) -> None:
    Demand.objects.create(day="2026-11-01", category="Hats", colour="red", count=3)
    url = reverse("admin:shopvision_overview_changelist")
    page = boss.get(url).content.decode()
    assert "No worker has counted it yet." in page
    with patch("shopvision.indexing.drift.drift", side_effect=AssertionError("counted in a request")):
        assert "is being counted" in boss.get(url + "?fresh=1").content.decode()
    jobs.run_waiting()
    page = boss.get(url).content.decode()
    assert "Shop, database and index agree." in page
    assert str(encoder_releases.live().row) in page


def test_a_rejected_photo_shows_its_reason_and_is_tried_again(boss: Client, indexed_shop: list[Any]) -> None:
    image = CatalogueImage.objects.first()
    assert image is not None
    CatalogueImage.objects.filter(pk=image.pk).update(
        state="rejected", reject_code="truncated", reject_reason=Message("made_up", {"what": "half"})
    )
    url = reverse("admin:shopvision_catalogueimage_changelist")
    assert "half" in boss.get(url + "?state__exact=rejected").content.decode()
    boss.post(url, {"action": "retry", "_selected_action": [image.pk]})
    image.refresh_from_db()
    assert image.state == "indexed"
    assert not Outbox.objects.filter(object_id=image.entry.object_id).exists()  # worked off on commit


def test_a_job_is_started_after_its_estimate_and_cancelled(boss: Client, indexed_shop: list[Any]) -> None:
    start = reverse("admin:shopvision_job_start", args=["duplicates"])
    page = boss.get(start).content.decode()
    assert "takes about" in page
    assert "Find products that share a photo" in page
    boss.post(start)
    assert Job.objects.get().kind == "duplicates"
    assert boss.get(reverse("admin:shopvision_job_start", args=["nonsense"])).status_code == 302


def test_a_job_that_counts_nothing_shows_no_empty_bar(boss: Client, indexed_shop: list[Any]) -> None:
    jobs.run(jobs.start("duplicates", wake=False))
    page = boss.get(reverse("admin:shopvision_job_changelist")).content.decode()
    assert "<progress" not in page
    assert "0 / 12" not in page
    jobs.run(jobs.start("index_all", wake=False))
    assert "12 / 12" in boss.get(reverse("admin:shopvision_job_changelist")).content.decode()


def test_staff_who_may_only_look_cannot_act(client: Client, indexed_shop: list[Any]) -> None:
    user = get_user_model().objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "view_overview"]))
    client.force_login(user)
    assert client.get(reverse("admin:shopvision_job_changelist")).status_code == 200
    assert client.post(reverse("admin:shopvision_job_start", args=["tune"])).status_code == 403
    assert client.get(reverse("admin:shopvision_encoderrelease_changelist")).status_code == 403


def test_rolling_back_without_a_former_release_says_so(boss: Client, live_release: Any) -> None:
    url = reverse("admin:shopvision_encoderrelease_changelist")
    answer = boss.post(url, {"action": "roll_back", "_selected_action": [live_release.row.pk]}, follow=True)
    assert "no release before the live one" in answer.content.decode()


def test_the_photo_list_asks_the_shop_once_not_once_a_row(boss: Client, indexed_shop: list[Any]) -> None:
    url = reverse("admin:shopvision_catalogueimage_changelist")
    with CaptureQueriesContext(connection) as many:
        page = boss.get(url).content.decode()
    for product in indexed_shop:
        assert product.image.url in page
    CatalogueImage.objects.exclude(entry__object_id=str(indexed_shop[0].pk)).delete()
    with CaptureQueriesContext(connection) as one:
        boss.get(url)
    assert len(many) == len(one)


def test_a_missing_photo_does_not_break_the_list(boss: Client, indexed_shop: list[Any]) -> None:
    product = DemoProductFactory(image="")
    assert product.pk
    CatalogueImage.objects.update(name="gone.jpg")
    assert boss.get(reverse("admin:shopvision_catalogueimage_changelist")).status_code == 200


def test_events_and_the_privacy_log_are_looked_at_only_and_name_nobody(boss: Client) -> None:
    subject = "20760.abcdefghijklmnopqrstuv"
    Event.objects.create(key="some-key-1", kind="view", subject=subject, purposes=3, at=timezone.now())
    ConsentRecord.objects.create(subject=subject, purposes=["improvement"])
    log = PrivacyLog.objects.create(act="erase", source="visitor", counts={"events": 3, "consents": 0})
    page = boss.get(address("event")).content.decode()
    assert "abcdef…" in page
    assert subject not in page
    page = boss.get(reverse("admin:shopvision_event_change", args=[Event.objects.get().pk])).content.decode()
    assert "personalisation, improvement" in page
    assert "BITS" not in page
    page = boss.get(address("privacylog")).content.decode()
    assert str(log.pk) in page
    assert "3 events" in page
    assert "improvement: 1" in page
    assert subject not in page
    for name in ("event", "privacylog"):
        assert boss.get(reverse(f"admin:shopvision_{name}_add")).status_code == 403


def test_views_are_shown_and_downloaded_with_noise_by_those_who_may(
    boss: Client, client: Client, indexed_shop: list[Any]
) -> None:
    product = indexed_shop[0]
    title = "=1+1"
    CatalogueEntry.objects.filter(object_id=str(product.pk)).update(title=title)
    day = timezone.now().date() - timedelta(days=1)
    ref = f"demo_shop.product:{product.pk}"
    ProductCount.objects.create(day=day, product=ref, kind="view", count=500)
    page = boss.get(address("event_views") + "?days=7").content.decode()
    assert ref in page
    assert "epsilon 1" in page
    lines = boss.get(address("event_views") + "?days=1&csv=1").content.decode().splitlines()
    assert len(lines) == 1 + len(indexed_shop)
    (row,) = (line.split(",") for line in lines if f",{ref}," in line)
    assert row[2] == "'=1+1"  # no formula for a spreadsheet
    assert abs(int(row[3]) - 500) < 40
    client.force_login(get_user_model().objects.create_user("looker", is_staff=True))
    assert client.get(address("event_views")).status_code == 403
