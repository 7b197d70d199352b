"""Co-visitation worked by hand: who follows whom, how near, how lately; never what comes later."""

from __future__ import annotations

import numpy as np
import pytest

from shopvision.ranking.interactions import Interactions
from shopvision.ranking.item_model import covisitation
from shopvision.ranking.item_model.covisitation import HALF_LIFE_DAYS, VISIT_ACTS, CoVisits, recency
from shopvision.ranking.item_model.neighbours import Neighbours
from tests.ranking.drawn import DAY, log


def weight(found: Neighbours, source: int, target: int) -> float:
    places = np.flatnonzero(found.ids[source] == target)
    return float(found.weights[source, places[0]]) if len(places) else 0.0


def at_once(*rows: tuple[int, int, int, float]) -> dict[str, Neighbours]:
    """As of the last moment, so that recency is all but 1: each item's own sum is 1 + its acts."""
    return CoVisits(log(*rows), 4).at((rows[-1][3] + 1e-9) * DAY)


def test_recency_halves_in_a_half_life() -> None:
    assert recency(np.array([100.0, 10.0]) * DAY, 100 * DAY, 90).tolist() == [1, 0.5]
    assert recency(np.array([200.0]) * DAY, 100 * DAY).tolist() == [1]


def test_what_comes_later_in_a_visit_is_next_and_near_ones_more() -> None:
    """0, 1, 2 in a visit of three: 1 / (distance root 3), over root(2) root(2), each item having one act."""
    found = at_once((1, 1, 0, 5.0), (1, 1, 1, 5.0001), (1, 1, 2, 5.0002))
    assert weight(found["next"], 0, 1) == pytest.approx(1 / 3**0.5 / 2, rel=1e-4)
    assert weight(found["next"], 0, 2) == pytest.approx(1 / 2 / 3**0.5 / 2, rel=1e-4)
    assert weight(found["next"], 1, 0) == 0
    assert weight(found["together"], 1, 0) == weight(found["together"], 0, 1) == weight(found["next"], 0, 1)


def test_a_basket_of_one_moment_has_no_direction() -> None:
    found = at_once((1, 1, 0, 5.0), (1, 1, 1, 5.0))
    assert (
        weight(found["next"], 0, 1)
        == weight(found["next"], 1, 0)
        == pytest.approx(0.5 / 2**0.5 / 2, rel=1e-4)
    )


def test_the_next_visits_follow_and_farther_ones_less() -> None:
    """Visits of one act each, half a second apart: 1 and 1/2 over root(2) root(2)."""
    found = at_once((1, 1, 0, 5.0), (1, 2, 1, 5.00001), (1, 3, 2, 5.00002), (2, 4, 3, 5.00002))
    assert weight(found["after"], 0, 1) == pytest.approx(1 / 2, rel=1e-4)
    assert weight(found["after"], 0, 2) == pytest.approx(1 / 4, rel=1e-4)
    assert weight(found["after"], 1, 0) == 0
    assert weight(found["after"], 2, 3) == 0  # another subject's
    assert weight(found["next"], 0, 1) == 0  # another visit


def test_what_is_a_half_life_old_weighs_half() -> None:
    rows = log((1, 1, 0, 0.0), (1, 1, 1, 0.0))
    found = CoVisits(rows, 4).at(HALF_LIFE_DAYS * DAY)
    assert weight(found["together"], 0, 1) == pytest.approx(0.5 / 2**0.5 / 1.5, rel=1e-4)


def test_nothing_later_than_asked_is_known_and_going_back_forgets() -> None:
    visits = CoVisits(log((1, 1, 0, 1.0), (1, 1, 1, 1.0), (2, 2, 2, 9.0), (2, 2, 3, 9.0)), 4)
    late, early = visits.at(10 * DAY), visits.at(5 * DAY)
    assert weight(late["next"], 2, 3) > 0
    assert weight(early["next"], 2, 3) == 0
    assert weight(early["next"], 0, 1) > 0


def drawn(seed: int) -> Interactions:
    draw = np.random.default_rng(seed)
    rows = [
        (int(s), int(s * 100 + v), int(draw.integers(0, 30)), float(v + t / 50))
        for s in range(20)
        for v in range(3)
        for t in draw.integers(0, 5, 6)
    ]
    return log(*rows)


def test_large_catalogues_add_up_pairs_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = drawn(1)
    dense = CoVisits(rows, 30).at(2.05 * DAY, width=5)
    monkeypatch.setattr(covisitation, "DENSE_ITEMS", 0)
    sparse = CoVisits(rows, 30).at(2.05 * DAY, width=5)
    for name in ("next", "after", "together"):
        np.testing.assert_allclose(dense[name].weights, sparse[name].weights, rtol=1e-4, atol=1e-6)


def test_adding_up_week_by_week_is_adding_up_at_once() -> None:
    rows = drawn(2)
    stepwise = CoVisits(rows, 30)
    for day in (0.5, 1.0, 1.7):
        stepwise.at(day * DAY)
    found, expected = stepwise.at(2.05 * DAY), CoVisits(rows, 30).at(2.05 * DAY)
    for name in found:
        np.testing.assert_allclose(found[name].weights, expected[name].weights, rtol=1e-4, atol=1e-6)


def test_a_wholesalers_visit_is_thinned_evenly() -> None:
    kept = covisitation._spread(np.repeat([1, 2], [10 * VISIT_ACTS, 3]))
    assert (kept < 10 * VISIT_ACTS).sum() == VISIT_ACTS
    assert (np.diff(kept[:VISIT_ACTS]) == 10).all()
    assert kept[VISIT_ACTS:].tolist() == [640, 641, 642]


def test_an_empty_log_knows_no_neighbours() -> None:
    found = CoVisits(log(), 3).at(DAY)
    assert all((one.ids == -1).all() and (one.weights == 0).all() for one in found.values())
