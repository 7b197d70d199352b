"""A job and periodic work registered from outside show up at every door without any central edit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from shopvision import jobs
from shopvision.exceptions import InvalidRequest
from shopvision.jobs import periodic, registration
from shopvision.types import Step
from tests.classified import person

pytestmark = pytest.mark.django_db
API = "/vision/api/v1/jobs/"
done: list[str] = []


def greet(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    done.append(f"hello {params.get('name', 'shop')}")
    yield Step(done=1, total=1, result={"greeted": 1})


def cost(params: Mapping[str, Any]) -> dict[str, Any]:
    return {"products": 0, "images": 0, "seconds": 1.0, "basis": "one greeting"}


def tidy() -> None:
    done.append("tidied")


def applaud() -> None:
    done.append("applauded")


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    done.clear()
    for table in ("KINDS", "PERIODIC", "AFTER"):
        for name, one in list(getattr(registration, table).items()):
            monkeypatch.setitem(getattr(registration, table), name, one)
    monkeypatch.setitem(registration.KINDS, "greet", None)  # both are taken away again after the test
    monkeypatch.setitem(registration.PERIODIC, "tidy", None)
    monkeypatch.setitem(registration.AFTER, "greet", {})
    jobs.register(
        "greet",
        steps=greet,
        estimate=cost,
        words="Greet the shop",
        permission="shopvision.train_ranker",
        params={"name": jobs.Param(str, choices=lambda: ("world", "shop"))},
        about=lambda params: [("name", str(params.get("name", "shop")))],
    )
    jobs.every("tidy", seconds=60, run=tidy)
    jobs.after("greet", applaud)


@pytest.fixture
def boss() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("boss", "b@example.org", "x"))
    return client


def test_a_worker_runs_the_job_what_follows_it_and_the_periodic_work() -> None:
    jobs.start("greet", wake=False)
    clock = periodic.Clock()
    for _ in range(2):
        periodic.turn(clock, "command", lambda: False, periodic.run_jobs)
    assert done == ["hello shop", "applauded", "tidied"]


def test_a_celery_worker_asks_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.start("greet", wake=False)
    assert periodic.work_is_waiting() == ["cpu.run_jobs"]
    clock = periodic.Clock()
    assert periodic.due(clock)
    assert not periodic.due(clock)
    monkeypatch.setattr(periodic, "first_here", lambda name, seconds: name == "tidy")
    periodic.run_shared()
    assert done == ["tidied"]


def test_the_admin_offers_starts_and_shows_it(boss: Client) -> None:
    listed = boss.get(reverse("admin:shopvision_job_changelist")).content.decode()
    start = reverse("admin:shopvision_job_start", args=["greet"])
    assert start in listed and "Greet the shop" in listed
    assert "Greet the shop" in boss.get(start).content.decode()
    assert boss.post(start).status_code == 302
    assert jobs.run_waiting() == 1
    job = jobs.Job.objects.get(kind="greet", state="done")
    page = boss.get(reverse("admin:shopvision_job_change", args=[job.pk])).content.decode()
    assert "Greet the shop" in page


def test_who_holds_its_permission_may_start_it_in_the_admin_and_nothing_else() -> None:
    client = Client()
    client.force_login(person("ann", "train_ranker", "view_job"))
    listed = client.get(reverse("admin:shopvision_job_changelist")).content.decode()
    assert reverse("admin:shopvision_job_start", args=["greet"]) in listed
    assert reverse("admin:shopvision_job_start", args=["index_all"]) not in listed
    assert client.post(reverse("admin:shopvision_job_start", args=["index_all"])).status_code == 403
    assert client.post(reverse("admin:shopvision_job_start", args=["greet"])).status_code == 302


def test_rest_checks_its_params_and_its_permission(boss: Client) -> None:
    def post(client: Client, params: dict[str, Any]) -> Any:
        return client.post(API, {"kind": "greet", "params": params}, content_type="application/json")

    assert post(boss, {"name": "world"}).status_code == 202
    assert jobs.run_waiting() == 1
    assert done == ["hello world", "applauded"]
    wrong = post(boss, {"name": "moon"})
    assert (wrong.status_code, "world, shop" in wrong.json()["detail"]) == (400, True)
    assert post(boss, {"colour": "red"}).status_code == 400
    ann, bob = Client(), Client()
    ann.force_login(person("ann", "classify_products"))
    bob.force_login(person("bob", "train_ranker"))
    assert post(ann, {}).status_code == 403
    assert post(bob, {}).status_code == 202
    assert boss.get(API + "?kind=greet").json()["results"][0]["kind"] == "greet"


def test_a_job_of_no_known_queue_is_refused() -> None:
    with pytest.raises(ValueError, match="one of cpu, gpu"):
        jobs.register("shout", steps=greet, estimate=cost, words="Shout", queue="loud")
    assert "shout" not in registration.KINDS


def test_a_job_whose_package_is_gone_fails_in_words() -> None:
    job = jobs.Job.objects.create(kind="gone")
    assert not jobs.waiting("cpu").filter(pk=job.pk).exists()
    jobs.run(job)
    assert (job.state, "there is no job called 'gone'" in str(job.message)) == ("failed", True)
    with pytest.raises(InvalidRequest):
        jobs.start("gone")


def test_every_package_that_does_long_work_registers_it_itself() -> None:
    where = {kind.steps.__module__ for name, kind in registration.KINDS.items() if name != "greet"}
    packages = ("classification", "indexing", "ranking", "search", "tuning")
    assert where == {f"shopvision.{name}.jobs" for name in packages}
