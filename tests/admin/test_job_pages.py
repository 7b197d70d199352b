"""A job's page: live figures, what failed, and its buttons."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shopvision.admin.job_pages import duration, figures
from shopvision.jobs import Job, JobError
from shopvision.messages import Message
from tests.classified import SOURCE, person

pytestmark = pytest.mark.django_db


def page_of(job: Job) -> str:
    return reverse("admin:shopvision_job_change", args=[job.pk])


def verb(job: Job, name: str) -> str:
    return reverse("admin:shopvision_job_verb", args=[job.pk, name])


def test_a_running_job_says_how_fast_it_is_and_how_long_still() -> None:
    job = Job.objects.create(kind="classify", state="running", total=400, done=90, failed=10)
    job.started_at = timezone.now() - timezone.timedelta(seconds=20)
    found = figures(job, site())
    assert found["worked"] == 100
    assert found["rate"] == pytest.approx(5.0, abs=0.1)
    assert found["left"] == "1 min"  # 300 at 5 a second


def site() -> Any:
    from django.contrib import admin

    return admin.site


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (90, "2 min"), (5399, "90 min"), (9000, "2.5 h")]
)
def test_seconds_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_what_failed_is_listed_with_the_products_own_page(boss: Client, indexed_shop: list[Any]) -> None:
    job = Job.objects.create(kind="classify", state="done", params={"source": SOURCE, "target": "category"})
    product = indexed_shop[0]
    JobError.objects.create(
        job=job,
        item=f"{SOURCE}:{product.pk}",
        message=Message("made_up", {"what": "its photo is half a file"}),
    )
    JobError.objects.create(job=job, item="something else", message=Message("made_up", {"what": "gone"}))
    page = boss.get(page_of(job)).content.decode()
    assert "its photo is half a file" in page
    assert f'href="/admin/demo_shop/product/{product.pk}/change/"' in page
    assert product.title in page
    assert "something else" in page


def test_the_live_part_comes_alone(boss: Client, db: None) -> None:
    job = Job.objects.create(kind="classify", state="running", total=10, done=3)
    part = boss.get(page_of(job) + "?part=live").content.decode()
    assert "<html" not in part
    assert 'data-active="1"' in part


def test_cancel_and_resume_from_the_page(boss: Client, db: None) -> None:
    job = Job.objects.create(kind="duplicates", state="queued")
    boss.post(verb(job, "cancel"))
    job.refresh_from_db()
    assert job.state == "cancelled"
    answer = boss.post(verb(job, "cancel"), follow=True)
    assert "cannot be done now" in answer.content.decode()
    boss.post(verb(job, "resume"))
    job.refresh_from_db()
    assert job.state != "cancelled"


def test_buttons_are_refused_to_who_may_only_look(client: Client, db: None) -> None:
    client.force_login(person("looker", "view_job"))
    job = Job.objects.create(kind="duplicates", state="queued")
    assert "Cancel" not in client.get(page_of(job)).content.decode()
    client.post(verb(job, "cancel"))
    job.refresh_from_db()
    assert job.state == "queued"
    assert client.get(verb(job, "cancel")).status_code == 405


def test_who_started_a_classify_job_may_stop_it(client: Client, db: None) -> None:
    ann = person("ann", "classify_products")
    client.force_login(ann)
    job = Job.objects.create(kind="classify", state="queued", created_by=ann)
    client.post(verb(job, "cancel"))
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_a_job_that_is_not_there_is_404(boss: Client, db: None) -> None:
    unknown = "00000000-0000-0000-0000-000000000000"
    assert boss.get(reverse("admin:shopvision_job_change", args=[unknown])).status_code == 404


@pytest.mark.parametrize(
    ("kind", "release", "words", "page"),
    [
        ("train_ranker", 2, "ranker:", "rankerrelease/2/"),
        ("tune", "small@3", "encoder:", "encoderrelease/3/"),
        ("classify", 4, "classifier:", "classifierrelease/4/"),
    ],
)
def test_a_result_names_its_own_kind_of_release(
    boss: Client, db: None, kind: str, release: Any, words: str, page: str
) -> None:
    job = Job.objects.create(kind=kind, state="done", done=1, result={"release": release, "seconds": 7.0})
    text = boss.get(page_of(job)).content.decode()
    assert words in text
    assert f'/admin/shopvision/{page}change/"' in text
    assert "a second" not in text
