"""What is said of the live ranker: its release, the newest experiment, an off-policy estimate; never of a few."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from shopvision.messages import translated_data
from shopvision.ranking.models import Experiment, ExperimentCount, RankerRelease
from shopvision.ranking.ranker_outcomes import evaluate_rankers
from shopvision.ranking.simulation import simulate, simulate_experiment
from shopvision.ranking.training.ranker_training import training
from shopvision.types import ProductRef
from tests.ranking.learning import SOURCE, catalogue, did

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(data_dir: Path) -> None:
    """No model of another test."""


def live_ranker(**metrics: Any) -> RankerRelease:
    return RankerRelease.objects.create(
        kind="linear", state="live", learned_until=timezone.now(), data={"simulated": 3}, metrics=metrics
    )


def counted(experiment: Experiment, arm: str, seen: int, clicks: int) -> None:
    for outcome, count in (("seen", seen), ("click", clicks)):
        ExperimentCount.objects.create(
            experiment=experiment, day=timezone.now().date(), arm=arm, outcome=outcome, count=count
        )


def test_before_anything_is_trained_each_part_says_what_is_missing() -> None:
    found = evaluate_rankers()
    assert found["live"] is None
    assert found["release"] == found["off_policy"] == {"missing": {"trained ranker": 1}}
    assert found["experiment"] == {"missing": {"experiment": 1}}


def test_the_releases_measures_are_those_of_its_gate() -> None:
    row = live_ranker(
        **{"ndcg@10": 0.4, "test": {"subjects": 5, "listings": 60, "kind": "shown"}, "weighs": {}}
    )
    found = evaluate_rankers()
    assert found["live"] == str(row)
    release = found["release"]
    assert (release["ndcg@10"], release["visitors"], release["listings"]) == (0.4, 5, 60)
    assert release["simulated_events"] == 3
    assert "weighs" not in release
    assert found["off_policy"] == {"missing": {"visitors": 5}}


def test_a_release_judged_by_four_visitors_is_not_told() -> None:
    live_ranker(**{"ndcg@10": 0.4, "test": {"subjects": 4, "listings": 60, "kind": "shown"}})
    assert evaluate_rankers()["release"] == {"missing": {"visitors": 5}}


def shown(visitor: int, *, clicked: bool) -> None:
    """A listing of two products with known odds, after the ranker learned."""
    products = catalogue_refs()
    listing = uuid.uuid4().hex
    for position, product in enumerate(products):
        did(f"1.{visitor}", product, "impression", listing=listing, position=position, propensity=0.5)
    if clicked:
        did(f"1.{visitor}", products[0], "click", listing=listing, position=0)


def catalogue_refs() -> list[ProductRef]:
    return [ProductRef(SOURCE, key) for key in ("1", "2")]


@pytest.mark.parametrize(
    ("visitors", "clickers", "missing"), [(4, 4, "visitors"), (8, 4, "visitors who clicked")]
)
def test_no_off_policy_estimate_speaks_of_a_few(visitors: int, clickers: int, missing: str) -> None:
    catalogue(2)
    row = live_ranker()
    RankerRelease.objects.filter(pk=row.pk).update(learned_until=timezone.now() - timedelta(days=1))
    for visitor in range(visitors):
        shown(visitor, clicked=visitor < clickers)
    assert evaluate_rankers()["off_policy"] == {"missing": {missing: 5}}


def test_arms_and_outcomes_of_a_few_visitors_are_withheld() -> None:
    experiment = Experiment.objects.create(name="hold-out", holdout=0.2)
    counted(experiment, "own", 1000, 240)
    counted(experiment, "live", 1000, 4)
    counted(experiment, "candidate", 4, 2)
    found = evaluate_rankers()["experiment"]
    assert found["visitors"] == {"own": 1000, "live": 1000}
    click = found["outcomes"]["click"]
    assert click["done"] == {"own": 240, "live": None}
    assert click["differences"] == {}  # with four clicks the difference would give their number away


def test_differences_come_with_their_intervals() -> None:
    experiment = Experiment.objects.create(name="hold-out", holdout=0.2)
    counted(experiment, "own", 1000, 200)
    counted(experiment, "live", 1000, 300)
    found = evaluate_rankers()["experiment"]
    difference = found["outcomes"]["click"]["differences"]["live - own"]
    assert difference["value"] == 0.1
    assert difference["low"] < 0.1 < difference["high"]
    assert difference["sure"]


def test_an_experiment_that_few_have_seen_says_so() -> None:
    counted(Experiment.objects.create(name="new", holdout=0.2), "own", 4, 1)
    assert evaluate_rankers()["experiment"] == {"missing": {"visitors": 5}}


@pytest.mark.slow
def test_a_ranker_trained_on_simulated_visitors_is_judged_on_their_later_listings() -> None:
    catalogue(60)
    simulate(150, 30)
    simulate_experiment()
    steps = training(kind="linear", force=True)
    with pytest.raises(StopIteration):
        while True:
            next(steps)
    found = evaluate_rankers()
    assert found["release"]["visitors"] >= 5
    assert found["release"]["simulated_events"] > 1000
    assert found["experiment"]["simulated"]
    assert found["experiment"]["outcomes"]["click"]["differences"]["live - own"]["value"] > 0
    estimate = found["off_policy"]
    assert estimate["visitors"] >= 5
    assert estimate["effective"] > 0
    assert json.dumps(translated_data(found))
    assert estimate["refused"] or estimate["low"] <= estimate["value"] <= estimate["high"]
