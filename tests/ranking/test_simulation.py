"""Made-up visitors: the odds they are shown things with, and what can be estimated from those."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from shopvision import jobs
from shopvision.events.models import Event
from shopvision.ranking.models import RankerRelease
from shopvision.ranking.simulation import PAGE, fair_pairs, simulate
from tests.ranking.learning import catalogue

TIMES = 4000


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_a_product_stands_where_it_does_as_often_as_its_odds_say(count: int) -> None:
    draw = np.random.default_rng(5)
    seen, said = np.zeros((2, count, count))
    for _ in range(TIMES):
        order, odds = fair_pairs(count, draw)
        assert sorted(order) == list(range(count))
        seen[order, range(count)] += 1
        said[order, range(count)] = odds
    assert seen / TIMES == pytest.approx(said, abs=0.04)
    assert said.sum(axis=0) == pytest.approx(np.ones(count))  # somebody stands at each place


def test_one_product_is_certain_and_of_three_the_middle_one_moves_most() -> None:
    assert fair_pairs(1, np.random.default_rng(0))[1].tolist() == [1.0]
    odds = {tuple(map(tuple, fair_pairs(3, np.random.default_rng(seed)))) for seed in range(40)}
    assert odds == {
        ((0, 1, 2), (0.75, 0.5, 0.75)),
        ((1, 0, 2), (0.25, 0.25, 0.75)),
        ((0, 2, 1), (0.75, 0.25, 0.25)),
    }


@pytest.mark.django_db
def test_made_up_listings_run_on_over_their_pages_and_name_their_odds(data_dir: Path) -> None:
    catalogue(60)
    simulate(visitors=20, days=10)
    shown = Event.objects.filter(kind="impression").order_by("listing", "pk")
    listings = [list(rows) for _, rows in groupby(shown, lambda row: row.listing)]
    assert {row.propensity for row in shown} == {0.25, 0.5, 0.75}
    for rows in listings:
        assert [row.position for row in rows] == list(range(len(rows)))
        assert len({row.product for row in rows}) == len(rows)
    assert max(map(len, listings)) > PAGE
    clicked = Event.objects.filter(kind="click")
    assert clicked.count() == sum(
        shown.filter(listing=one.listing, product=one.product, propensity=one.propensity).count()
        for one in clicked
    )


@pytest.mark.slow
@pytest.mark.django_db
def test_what_they_clicked_is_enough_to_estimate_a_ranker_by(data_dir: Path) -> None:
    catalogue(24)
    simulate(visitors=650, days=30)
    jobs.run(jobs.start("train_ranker", {"kind": "linear"}, wake=False))
    found = RankerRelease.objects.get().metrics["off_policy"]
    assert (found["refused"], found["doubly_robust"]["refused"]) == (None, None)
    assert found["effective"] > 500
    assert found["low"] < found["value"] < found["high"]
    assert found["value"] > found["logged"]  # it learned what they like, and the shop's own order did not
