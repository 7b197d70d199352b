"""Rankers and experiments in the admin: figures of a real training, and what one click does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from shopvision import conf, jobs
from shopvision.admin.plots import Whisker, forest
from shopvision.ranking import ranker_releases, serving
from shopvision.ranking.models import Experiment, ExperimentCount, KnowledgeSnapshot, RankerRelease
from shopvision.ranking.simulation import simulate
from tests.ranking.learning import catalogue

pytestmark = pytest.mark.django_db
RANKERS = "/admin/shopvision/rankerrelease/"
EXPERIMENTS = "/admin/shopvision/experiment/"


@pytest.fixture(autouse=True)
def own_folder(data_dir: Path) -> Iterator[None]:
    """No model of another test, before or after."""
    serving.forget()
    yield
    serving.forget()


@pytest.fixture
def trained() -> RankerRelease:
    """A ranker that learned from made-up visitors."""
    catalogue(80)
    simulate(visitors=100, days=30)
    job = jobs.start("train_ranker", {"kind": "linear", "force": True}, wake=False)
    jobs.run(job)
    assert job.state == "done", job.message
    return RankerRelease.objects.get()


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    text = unescape(answer.content.decode())
    assert "style=" not in text.split("<main")[1]
    return text


def count(row: Experiment, arm: str, outcome: str, number: int, days_ago: int = 0) -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    ExperimentCount.objects.create(experiment=row, arm=arm, outcome=outcome, count=number, day=day)


def test_a_ranker_shows_what_it_measured_goes_back_and_comes_again(
    boss: Client, trained: RankerRelease
) -> None:
    listed = page(boss, RANKERS)
    assert "events here were made up for the demo" in listed
    assert "Listings are ordered by ranker@" in listed
    address = reverse("admin:shopvision_rankerrelease_change", args=[trained.pk])
    shown = page(boss, address)
    for words in (
        str(trained.reason), trained.digest, trained.snapshot, "the untrained blend", "popularity", "chance",
        "the order given", "Position bias", "Refused:", "made up for the demo", "NDCG@10 beside other orders",
        f"{trained.metrics['ndcg@10']:.3f}", "What it goes by", "what goes with what was looked at",
    ):  # fmt: skip
        assert words in shown, words
    do = f"{RANKERS}{trained.pk}/do/"
    assert "The untrained blend is live." in boss.post(do + "rollback/", follow=True).content.decode()
    assert ranker_releases.live() is None
    assert "is live." in boss.post(do + "promote/", follow=True).content.decode()
    assert ranker_releases.live() == trained
    assert "ranker@" in boss.post(do + "promote/", follow=True).content.decode()  # it is live: told, not done
    assert boss.get(do + "promote/").status_code == 405


def test_a_damaged_live_ranker_is_said_to_be_so_on_both_pages(boss: Client, trained: RankerRelease) -> None:
    default_storage.delete(trained.artefact)
    (Path(conf.DATA_DIR) / "rankers" / trained.digest).unlink()
    serving.forget()
    listed = page(boss, RANKERS)
    shown = page(boss, reverse("admin:shopvision_rankerrelease_change", args=[trained.pk]))
    for text in (listed, shown):
        assert "The untrained blend stands in:" in text
    assert "Listings are ordered by the untrained blend" in listed


def test_a_refresh_is_a_click_and_so_is_a_training(boss: Client) -> None:
    catalogue(5)
    boss.post(f"{RANKERS}start/refresh/")
    assert KnowledgeSnapshot.objects.count() == 1
    boss.post(f"{RANKERS}start/train/")
    assert jobs.Job.objects.get(kind="train_ranker").state == "failed"  # nobody did anything yet
    assert boss.post(f"{RANKERS}start/magic/").status_code == 404


def test_an_experiment_is_started_watched_and_stopped(boss: Client) -> None:
    assert "Start an experiment" in page(boss, EXPERIMENTS)
    assert (
        "less than all of the visitors"
        in boss.post(f"{EXPERIMENTS}start/", {"holdout": "0"}, follow=True).content.decode()
    )
    assert (
        "numbers from 0" in boss.post(f"{EXPERIMENTS}start/", {"holdout": "x"}, follow=True).content.decode()
    )
    boss.post(f"{EXPERIMENTS}start/", {"name": "autumn", "holdout": "20"})
    row = Experiment.objects.get()
    assert (row.holdout, row.created_by.username) == (0.2, "boss")
    assert "Start an experiment" not in page(boss, EXPERIMENTS)
    address = reverse("admin:shopvision_experiment_change", args=[row.pk])
    assert "Nobody has been counted yet." in page(boss, address)
    for day in range(6):
        for arm, seen, clicks in (("own", 400, 40), ("live", 1600, 260)):
            count(row, arm, "seen", seen, day)
            count(row, arm, "click", clicks, day)
    shown = page(boss, address)
    assert "240 (10.00 %)" in shown
    assert "1560 (16.25 %)" in shown
    assert "The live ranker does better than the shop's own order." in shown
    assert "Too few visitors to say anything yet." in shown  # of baskets
    assert "Visitors who clicked, day by day" in shown
    boss.post(f"{EXPERIMENTS}{row.pk}/stop/")
    row.refresh_from_db()
    assert row.state == "stopped"


def test_who_may_not_train_may_not_start_anything(client: Client) -> None:
    user = get_user_model().objects.create_user("clerk", password="x", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_rankerrelease"))
    client.force_login(user)
    assert "Train a ranker" not in page(client, RANKERS)
    assert client.post(f"{RANKERS}start/train/").status_code == 403
    assert client.post(f"{EXPERIMENTS}start/", {"holdout": "20"}).status_code == 403
    assert not Experiment.objects.exists()


def test_a_forest_marks_its_guide_and_leaves_out_what_is_not_known() -> None:
    nan = float("nan")
    drawn = forest([Whisker("a", 1.0, 0.5, 1.5, "1"), Whisker("<b>", 2.0, nan, nan, "2")], "it", 0.0)
    assert drawn.count("<circle") == 2
    assert drawn.count("<polyline") == 2  # one whisker and the guide
    assert "&lt;b&gt;" in drawn
    assert forest([], "none") == ""


def test_a_forest_has_room_for_its_names() -> None:
    narrow, wide, chinese = (
        forest([Whisker(name, 1.0, 0.5, 1.5, "1")], "it") for name in ("a", "a" * 40, "字" * 20)
    )
    assert [re.search(r'axis" x="(\d+)"', one).group(1) for one in (narrow, wide, chinese)] == [
        "80",
        "274",
        "274",
    ]
