"""Visitors divided by chance: the same arm each time, each counted once, and the hold-out sees the shop's order."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.utils import timezone

from demo_shop.models import Product
from shopvision import metrics
from shopvision.events import tracking
from shopvision.ranking import experiments, ranker_releases, serving
from shopvision.ranking.api import RankedSequence
from shopvision.ranking.experiments import difference
from shopvision.ranking.models import Experiment, ExperimentCount, RankerRelease
from shopvision.ranking.rankers.base import PriorRanker
from tests.visitors import FIREFOX, again, personal_rows, visitor


def test_the_interval_and_the_chance_by_hand() -> None:
    # p = 1/4 of 1200, q = 1/5 of 1600: V = 3/16/1200 + 4/25/1600 = 1/6400 + 1/10000 = 41/160000
    found = difference((300, 1200), (320, 1600), tau=0.05)
    v, t2 = 41 / 160_000, 1 / 400
    assert found.value == pytest.approx(1 / 20)
    half = math.sqrt(v * (v + t2) / t2 * (2 * math.log(20) + math.log(441 / 41)))  # (V + tau^2) / V = 441/41
    assert (found.low, found.high) == (pytest.approx(1 / 20 - half), pytest.approx(1 / 20 + half))
    ratio = math.sqrt(41 / 441) * math.exp(t2 / 400 / (2 * v * (v + t2)))
    assert found.chance == pytest.approx(1 / ratio)
    assert found.sure == (found.chance < 0.05)


def test_the_interval_leaves_nought_out_exactly_when_the_chance_is_below_alpha() -> None:
    for more in range(0, 200, 5):
        found = difference((200 + more, 2000), (200, 2000))
        assert found.sure == (found.chance < 0.05)


def test_too_little_says_nothing() -> None:
    for ours, theirs in (((50, 99), (50, 200)), ((9, 1000), (50, 1000)), ((995, 1000), (500, 1000))):
        found = difference(ours, theirs)
        assert math.isnan(found.low)
        assert found.chance == 1.0
        assert not found.sure
    assert math.isnan(difference((0, 0), (1, 10)).value)


def test_who_looks_fifty_times_is_fooled_in_fewer_than_one_experiment_of_twenty() -> None:
    rng = np.random.default_rng(0)
    wrong = {"always valid": 0, "usual": 0}
    for _ in range(400):
        a, b = (rng.binomial(100, 0.1, 50).cumsum() for _ in range(2))
        looks = [((int(x), 100 * n), (int(y), 100 * n)) for n, (x, y) in enumerate(zip(a, b, strict=True), 1)]
        wrong["always valid"] += any(difference(*one).sure for one in looks)
        wrong["usual"] += any(_usual(*one) for one in looks)
    assert wrong["always valid"] <= 20
    assert wrong["usual"] > 60  # what peeking at a fixed interval does


def _usual(ours: tuple[int, int], theirs: tuple[int, int]) -> bool:
    (x, n), (y, m) = ours, theirs
    p, q = x / n, y / m
    error = math.sqrt(p * (1 - p) / n + q * (1 - q) / m)
    return abs(p - q) > 1.96 * error


def test_a_real_difference_is_found() -> None:
    rng = np.random.default_rng(1)
    x, y = int(rng.binomial(20_000, 0.12)), int(rng.binomial(20_000, 0.10))
    found = difference((x, 20_000), (y, 20_000))
    assert found.low > 0
    assert found.low < 0.02 < found.high


pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(data_dir: Path) -> None:
    """No model of another test."""


def begin(holdout: float = 0.5, **more: Any) -> Experiment:
    row = experiments.start("trial", holdout=holdout, **more)
    serving.forget()
    serving.kept()
    return row


def candidate() -> RankerRelease:
    name, digest = ranker_releases.storage.store(
        ranker_releases.RANKERS, PriorRanker({"fresh": 1.0}).to_bytes()
    )
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
    arms = Counter(experiments.divided(one, token) for token in tokens)
    assert arms["own"] / 5000 == pytest.approx(0.2, abs=0.02)
    assert arms["candidate"] / 5000 == pytest.approx(0.3, abs=0.02)
    both = sum(experiments.divided(one, t) == "own" == experiments.divided(two, t) for t in tokens)
    assert both / 5000 == pytest.approx(0.04, abs=0.01)


def test_a_visitor_stays_in_an_arm_and_nothing_of_them_is_in_the_database() -> None:
    begin()
    for _ in range(5):
        request = visitor()
        first = experiments.arm_of(request)
        assert first.name in ("own", "live")
        assert {experiments.arm_of(again(request)).name for _ in range(5)} == {first.name}
    assert set(personal_rows().values()) == {0}


def test_who_agreed_is_in_the_same_arm_in_another_session(consent_mode: None) -> None:
    begin()
    for _ in range(4):
        request = visitor("improvement")
        later = visitor()
        later.COOKIES.update(request.COOKIES)
        assert experiments.arm_of(again(later)).name == experiments.arm_of(again(request)).name


@pytest.mark.parametrize("headers", [{"HTTP_SEC_GPC": "1"}, {"HTTP_USER_AGENT": "Googlebot/2.1"}])
def test_who_may_not_be_counted_is_in_no_experiment(headers: dict[str, str]) -> None:
    begin()
    request = visitor(**headers)
    assert experiments.arm_of(request).name == ""
    experiments.shown(request, experiments.arm_of(request))
    assert counted() == {}
    assert not request.session.keys()


def test_without_consent_nobody_is_counted(consent_mode: None) -> None:
    begin()
    assert experiments.arm_of(visitor()).name == ""
    assert experiments.arm_of(visitor("personalisation")).name == ""


def test_each_visitor_counts_once_and_only_after_a_listing() -> None:
    begin(holdout=0.999)
    request = visitor()
    experiments.did(request, {"click"})
    assert counted() == {}
    for _ in range(3):
        experiments.shown(request, experiments.arm_of(request))
        experiments.did(request, {"click", "view"})
    experiments.did(request, {"purchase"})
    assert counted() == {("own", "seen"): 1, ("own", "click"): 1, ("own", "purchase"): 1}


def test_acts_are_heard_of_through_the_one_writer(mugs: list[Any]) -> None:
    begin(holdout=0.999)
    request = visitor()
    experiments.shown(request, experiments.arm_of(request))
    tracking.record(request, "basket_add", mugs[0])
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
        experiments.stop(row)
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
    arm = experiments.arm_of(request)
    assert (arm.name, str(row) in str(arm.ranks_with and arm.ranks_with.name)) == ("candidate", True)
    experiments.stop(running)
    RankerRelease.objects.filter(pk=row.pk).update(artefact="gone", digest="0" * 64)
    row.refresh_from_db()
    begin(0.001, candidate=row, candidate_share=0.998)
    assert experiments.arm_of(request).name == ""


def test_one_experiment_runs_at_a_time_and_shares_must_leave_something() -> None:
    row = begin()
    with pytest.raises(experiments.InvalidRequest, match="stop it first"):
        experiments.start("another", holdout=0.1)
    assert experiments.stop(row).stopped_at is not None
    for wrong in ({"holdout": 0.0}, {"holdout": 1.0}, {"holdout": 0.5, "candidate_share": 0.2}):
        with pytest.raises(experiments.InvalidRequest):
            experiments.start("wrong", **wrong)
    serving.forget()
    assert experiments.arm_of(visitor()).name == ""


def test_results_add_days_up_and_compare_the_arms() -> None:
    row = begin()
    for arm, seen, clicks in (("own", 1000, 100), ("live", 1200, 240)):
        for outcome, count in (("seen", seen), ("click", clicks)):
            ExperimentCount.objects.create(
                experiment=row, day=timezone.now().date(), arm=arm, outcome=outcome, count=count
            )
    click, basket, _ = experiments.results(row)
    assert click.differences["live", "own"].value == pytest.approx(1 / 10)
    assert click.differences["live", "own"].sure
    assert set(click.differences) == {("live", "own")}
    assert not basket.differences["live", "own"].sure


def test_a_database_that_is_down_costs_no_count(monkeypatch: Any) -> None:
    row = begin()
    real = experiments.ExperimentCount.objects.get_or_create

    def fails(**_: Any) -> Any:
        raise experiments.DatabaseError("locked")

    monkeypatch.setattr(experiments.ExperimentCount.objects, "get_or_create", fails)
    metrics.reset()
    experiments.add(row.pk, "own", "seen")
    assert metrics.snapshot()["counters"]["experiment_write_failed"] == 1
    monkeypatch.setattr(experiments.ExperimentCount.objects, "get_or_create", real)
    experiments.add(row.pk, "own", "seen")
    assert counted() == {("own", "seen"): 2}
