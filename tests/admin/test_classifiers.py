"""Classifiers: figures and plots of a real training, and what may be done with a release."""

from __future__ import annotations

import json
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from shopvision.admin import plots
from shopvision.admin.classifiers import confusion
from shopvision.admin.plots import Axis, Line
from shopvision.classification.models import ClassifierRelease
from shopvision.jobs import Job
from tests.classified import SOURCE, person

TRAIN = "/admin/shopvision/classifierrelease/train/"


def page_of(row: ClassifierRelease) -> str:
    return reverse("admin:shopvision_classifierrelease_change", args=[row.pk])


@pytest.mark.django_db
def test_the_page_shows_everything_that_was_measured(boss: Client, classified: list[Any]) -> None:
    row = ClassifierRelease.objects.get(state="live", target="category")
    page = unescape(boss.get(page_of(row)).content.decode())
    for words in (
        "calibration error",
        "Reliability",
        "Coverage and error",
        "Models compared",
        "Confusions",
        "By label, the weakest first",
        "Not compared: cnn (",
        row.digest,
        row.snapshot_id,
        str(row.reason),
    ):
        assert words in page, words
    assert f"{100 * row.metrics['accuracy']:.1f} %" in page
    assert "style=" not in page.split("<main")[1]


@pytest.mark.django_db
def test_training_is_started_from_the_page(boss: Client, classified: list[Any]) -> None:
    assert "described photos" in boss.get(TRAIN).content.decode()
    boss.post(TRAIN, {"source": SOURCE, "target": "category", "kind": "prototypes"})
    job = Job.objects.get(kind="train")
    assert job.params == {"source": SOURCE, "target": "category", "kind": "prototypes"}
    assert job.state == "done", job.message


@pytest.mark.django_db
def test_nonsense_is_not_trained(boss: Client, classified: list[Any]) -> None:
    boss.post(TRAIN, {"source": SOURCE, "target": "smell", "kind": "auto"})
    boss.post(TRAIN, {"source": SOURCE, "target": "category", "kind": "magic"})
    assert not Job.objects.filter(kind="train").exists()


@pytest.mark.django_db
def test_promote_and_roll_back(boss: Client, classified: list[Any], caplog: pytest.LogCaptureFixture) -> None:
    first = ClassifierRelease.objects.get(state="live", target="category")
    other = "linear" if first.kind == "prototypes" else "prototypes"
    boss.post(TRAIN, {"source": SOURCE, "target": "category", "kind": other})
    second = ClassifierRelease.objects.exclude(pk=first.pk).latest("pk")
    if second.state != "live":
        boss.post(reverse("admin:shopvision_classifierrelease_verb", args=[second.pk, "promote"]))
    second.refresh_from_db()
    assert second.state == "live"
    assert f"Roll back to {first}" in boss.get(page_of(second)).content.decode()
    with caplog.at_level("INFO", "shopvision"):
        boss.post(reverse("admin:shopvision_classifierrelease_verb", args=[second.pk, "rollback"]))
        boss.post(reverse("admin:shopvision_classifierrelease_verb", args=[second.pk, "promote"]))
    told = [json.loads(one.message) for one in caplog.records if "release_activated" in one.message]
    assert [one["release"] for one in told] == [f"{SOURCE} {first}", f"{SOURCE} {second}"]
    assert {one["by"] for one in told} == {"boss"}


@pytest.mark.django_db
def test_a_button_that_a_release_has_not_says_why(boss: Client, classified: list[Any]) -> None:
    row = ClassifierRelease.objects.get(state="live", target="category")

    def pressed(verb: str) -> Any:
        return boss.post(reverse("admin:shopvision_classifierrelease_verb", args=[row.pk, verb]), follow=True)

    def told(verb: str) -> list[str]:
        return [str(one) for one in pressed(verb).context["messages"]]

    assert told("promote") == [f"{row} is live and cannot be promoted."]
    assert told("rollback") == [f"There is none before {row} to roll back to."]
    ClassifierRelease.objects.filter(pk=row.pk).update(state="retired")
    assert told("rollback") == [f"{row} is retired; only the live one is rolled back."]
    for verb in ("magic", "buttons", "press"):
        assert pressed(verb).status_code == 404


@pytest.mark.django_db
def test_only_who_may_train_trains(client: Client, classified: list[Any]) -> None:
    row = ClassifierRelease.objects.get(state="live", target="category")
    client.force_login(person("ann", "view_classifierrelease"))
    assert client.get(page_of(row)).status_code == 200
    assert client.get(TRAIN).status_code == 403
    verb = reverse("admin:shopvision_classifierrelease_verb", args=[row.pk, "rollback"])
    assert client.post(verb).status_code == 403
    client.force_login(person("bea", "train_classifier"))
    assert client.get(TRAIN).status_code == 200
    assert client.get(reverse("admin:shopvision_classifierrelease_changelist")).status_code == 200


def test_a_small_matrix_is_a_table_and_a_large_one_a_plot() -> None:
    small = confusion([[3, 1], [0, 4]], ["cup", "hat"])
    assert small is not None
    assert small["top"] == [{"true": "cup", "said": "hat", "count": 1, "share": 0.25}]
    assert [cell["shade"] for cell in small["table"][0]["cells"]] == [5, 4]
    assert small["plot"] == ""
    large = confusion([[2] * 16 for _ in range(16)], [f"label {n}" for n in range(16)])
    assert large is not None
    assert large["table"] == []
    assert large["plot"].count("<rect") == 256
    assert confusion([], []) is None


def test_an_axis_ends_at_plain_numbers() -> None:
    assert [plots.round_up(value) for value in (1, 110, 500, 501, 48_000)] == [1, 125, 500, 1000, 50_000]
    assert Axis("share").ticks()[1] == (0.2, "20 %")
    assert Axis("labels", high=125, percent=False).ticks()[-1] == (1.0, "125")


def test_a_chart_places_its_points_and_escapes_its_words() -> None:
    made = plots.chart([Line([(0.0, 0.0), (1.0, 1.0)])], Axis("<x>"), Axis("y"), 'a "chart"')
    assert 'points="56.0,234.0 396.0,12.0"' in made  # the lower left and the upper right corner of the grid
    assert "&lt;x&gt;" in made
    assert "a &quot;chart&quot;" in made
    assert plots.chart([Line([])], Axis("x"), Axis("y"), "nothing") == ""
