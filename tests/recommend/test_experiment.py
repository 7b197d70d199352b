"""Visitors divided by chance: the same arm each time, each counted once, and the hold-out sees the shop's order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from demo_shop.models import Product
from shopvision import behaviour, telemetry
from shopvision.recommend import experiment, release, serving, tally
from shopvision.recommend.grips import RankedSequence
from shopvision.recommend.models import Experiment, ExperimentCount, RankerRelease
from shopvision.recommend.ranker import PriorRanker
from tests.visitors import FIREFOX, again, personal_rows, visitor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(data_dir: Path) -> None:
    """No model of another test."""


def begin(holdout: float = 0.5, **more: Any) -> Experiment:
    row = experiment.start("trial", holdout=holdout, **more)
    serving.forget()
    serving.kept()
    return row


def candidate() -> RankerRelease:
    name, digest = release.artefacts.store(release.RANKERS, PriorRanker({"fresh": 1.0}).to_bytes())
    return RankerRelease.objects.create(
        kind="linear", artefact=name, digest=digest, snapshot="x", learned_until=timezone.now()
    )


def counted() -> dict[tuple[str, str], int]:
    rows = ExperimentCount.objects.values_list("arm", "outcome", "count")
    return {(arm, outcome): count for arm, outcome, count in rows}


def test_arms_are_as_large_as_asked_for_and_another_experiment_divides_anew() -> None:
    one = Experiment(holdout=0.2, candidate_share=0.3, salt="a")
    two = Experiment(holdout=0.2, candidate_share=0.3, salt="b")
    tokens = [f"visitor {n}" for n in range(5000)]
    arms = Counter(experiment.divided(one, token) for token in tokens)
    assert arms["own"] / 5000 == pytest.approx(0.2, abs=0.02)
    assert arms["candidate"] / 5000 == pytest.approx(0.3, abs=0.02)
    both = sum(experiment.divided(one, t) == "own" == experiment.divided(two, t) for t in tokens)
    assert both / 5000 == pytest.approx(0.04, abs=0.01)


def test_a_visitor_stays_in_an_arm_and_nothing_of_them_is_in_the_database() -> None:
    begin()
    for _ in range(5):
        request = visitor()
        first = experiment.arm_of(request)
        assert first.name in ("own", "live")
        assert {experiment.arm_of(again(request)).name for _ in range(5)} == {first.name}
    assert set(personal_rows().values()) == {0}


def test_who_agreed_is_in_the_same_arm_in_another_session(consent_mode: None) -> None:
    begin()
    for _ in range(4):
        request = visitor("improvement")
        later = visitor()
        later.COOKIES.update(request.COOKIES)
        assert experiment.arm_of(again(later)).name == experiment.arm_of(again(request)).name


@pytest.mark.parametrize("headers", [{"HTTP_SEC_GPC": "1"}, {"HTTP_USER_AGENT": "Googlebot/2.1"}])
def test_who_may_not_be_counted_is_in_no_experiment(headers: dict[str, str]) -> None:
    begin()
    request = visitor(**headers)
    assert experiment.arm_of(request).name == ""
    experiment.shown(request, experiment.arm_of(request))
    assert counted() == {}
    assert not request.session.keys()


def test_without_consent_nobody_is_counted(consent_mode: None) -> None:
    begin()
    assert experiment.arm_of(visitor()).name == ""
    assert experiment.arm_of(visitor("personalisation")).name == ""


def test_each_visitor_counts_once_and_only_after_a_listing() -> None:
    begin(holdout=0.999)
    request = visitor()
    experiment.did(request, {"click"})
    assert counted() == {}
    for _ in range(3):
        experiment.shown(request, experiment.arm_of(request))
        experiment.did(request, {"click", "view"})
    experiment.did(request, {"purchase"})
    assert counted() == {("own", "seen"): 1, ("own", "click"): 1, ("own", "purchase"): 1}


def test_acts_are_heard_of_through_the_one_writer(mugs: list[Any]) -> None:
    begin(holdout=0.999)
    request = visitor()
    experiment.shown(request, experiment.arm_of(request))
    behaviour.record(request, "basket_add", mugs[0])
    assert counted()["own", "basket_add"] == 1


def test_the_hold_out_sees_the_shops_own_order_and_the_others_theirs(mugs: list[Any]) -> None:
    own = list(Product.objects.values_list("pk", flat=True))
    for holdout, keeps in ((0.999, True), (0.001, False)):
        row = begin(holdout)
        client = Client(headers={"user-agent": FIREFOX})
        for mug in mugs[:2]:
            client.get(mug.get_absolute_url())
        order = [product.pk for product in client.get("/").context["page"]]
        assert (order == own[: len(order)]) == keeps
        experiment.stop(row)
    assert {arm for arm, _ in counted()} == {"own", "live"}


def test_the_hold_out_still_obeys_the_shops_rules(mugs: list[Any]) -> None:
    begin(0.999)
    products = Product.objects.all()
    first, *_, last = products
    rows = RankedSequence(products, visitor(), pinned=[last], hidden=[first])[0:]
    assert rows[0] == last
    assert rows[-1] == first


def test_a_candidate_ranks_its_share_and_one_that_cannot_be_opened_is_in_no_experiment() -> None:
    row = candidate()
    running = begin(0.001, candidate=row, candidate_share=0.998)
    request = visitor()
    arm = experiment.arm_of(request)
    assert (arm.name, str(row) in str(arm.ranks_with and arm.ranks_with.name)) == ("candidate", True)
    experiment.stop(running)
    RankerRelease.objects.filter(pk=row.pk).update(artefact="gone", digest="0" * 64)
    row.refresh_from_db()
    begin(0.001, candidate=row, candidate_share=0.998)
    assert experiment.arm_of(request).name == ""


def test_one_experiment_runs_at_a_time_and_shares_must_leave_something() -> None:
    row = begin()
    with pytest.raises(experiment.InvalidRequest, match="stop it first"):
        experiment.start("another", holdout=0.1)
    assert experiment.stop(row).stopped_at is not None
    for wrong in ({"holdout": 0.0}, {"holdout": 1.0}, {"holdout": 0.5, "candidate_share": 0.2}):
        with pytest.raises(experiment.InvalidRequest):
            experiment.start("wrong", **wrong)
    serving.forget()
    assert experiment.arm_of(visitor()).name == ""


def test_results_add_days_up_and_compare_the_arms() -> None:
    row = begin()
    for arm, seen, clicks in (("own", 1000, 100), ("live", 1200, 240)):
        for outcome, count in (("seen", seen), ("click", clicks)):
            ExperimentCount.objects.create(
                experiment=row, day=timezone.now().date(), arm=arm, outcome=outcome, count=count
            )
    click, basket, _ = experiment.results(row)
    assert click.differences["live", "own"].value == pytest.approx(1 / 10)
    assert click.differences["live", "own"].sure
    assert set(click.differences) == {("live", "own")}
    assert not basket.differences["live", "own"].sure


def test_a_database_that_is_down_costs_no_count(monkeypatch: Any) -> None:
    row = begin()
    real = tally.ExperimentCount.objects.get_or_create

    def fails(**_: Any) -> Any:
        raise tally.DatabaseError("locked")

    monkeypatch.setattr(tally.ExperimentCount.objects, "get_or_create", fails)
    telemetry.reset()
    tally.add(row.pk, "own", "seen")
    assert telemetry.snapshot()["counters"]["experiment_write_failed"] == 1
    monkeypatch.setattr(tally.ExperimentCount.objects, "get_or_create", real)
    tally.add(row.pk, "own", "seen")
    assert counted() == {("own", "seen"): 2}
