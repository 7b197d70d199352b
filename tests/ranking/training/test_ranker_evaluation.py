"""Listings made up around what was chosen, the parts of time, the judge, the gate and the off-policy estimate."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from shopvision.messages import translated
from shopvision.ranking.item_model.builder import Builder
from shopvision.ranking.rankers.base import PriorRanker
from shopvision.ranking.training.event_log import Behaviour, Counts
from shopvision.ranking.training.examples import Answered, Past, learn_from
from shopvision.ranking.training.negative_sampling import next_acts
from shopvision.ranking.training.off_policy import off_policy
from shopvision.ranking.training.ranker_evaluation import LEAST_COLD, Judge, Outcome, mean, parted
from shopvision.ranking.training.ranker_gate import gate
from tests.ranking.drawn import DAY, facts, log


def answered(at: float, chosen: int, count: int = 3, subject: int = 0) -> Answered:
    wanted = np.zeros(count, np.float32)
    wanted[chosen] = 1
    return Answered(subject, at * DAY, np.arange(count, dtype=np.int32), wanted, np.arange(count))


def judge(listings: list[Answered], rows: Any, count: int = 3) -> Judge:
    shop = facts(*(f"thing {n}" for n in range(count)))
    lessons = learn_from(Builder(rows, shop), Past(rows, shop), shop, listings)
    return Judge(lessons, listings, rows, count)


def outcome(ndcg: list[float]) -> Outcome:
    values = np.array(ndcg)
    return Outcome(values, values, values, values, [])


def test_a_visit_gives_one_listing_with_what_followed_among_what_did_not() -> None:
    rows = log((1, 10, 0, 1.0), (1, 10, 1, 1.1), (1, 10, 2, 1.2), (2, 20, 4, 2.0), (1, 11, 3, 3.0))
    found = next_acts(rows, facts(*"abcdefgh"), most=10, seed=0)
    assert [one.subject for one in found] == [1, 1]  # one act of a stranger says nothing of what comes next
    first, second = found
    chosen = set(first.items[first.chosen > 0].tolist())
    assert chosen in ({1, 2}, {2})
    assert sorted(second.items.tolist()) == list(range(8))
    assert second.items[second.chosen > 0].tolist() == [3]
    assert second.positions is None
    assert len(next_acts(rows, facts(*"abcdefgh"), most=1, seed=0)) == 1
    assert next_acts(rows.take(np.zeros(0, int)), facts("a"), most=1, seed=0) == []


def test_the_latest_fifth_tests_and_nothing_is_in_two_parts() -> None:
    times = np.array([5.0, 1, 9, 3, 7, 2, 8, 4, 6, 0] * 10)
    parts = parted(times)
    assert [len(one) for one in (parts.train, parts.validation, parts.test)] == [65, 15, 20]
    assert times[parts.train].max() <= times[parts.validation].min()
    assert times[parts.validation].max() <= times[parts.test].min()
    assert sorted(np.concatenate([parts.train, parts.validation, parts.test])) == list(range(100))


def test_the_judge_says_what_orders_are_worth_by_hand() -> None:
    rows = log((1, 1, 0, 0.0), (1, 2, 1, 5.0))
    one = judge([answered(3, 1), answered(6, 0)], rows)
    straight = one.references(0)["no_op"]
    assert straight.ndcg == pytest.approx([1 / np.log2(3), 1.0])
    assert straight.mrr == pytest.approx([1 / 2, 1.0])
    assert straight.cold[0] == pytest.approx(1 / np.log2(3))  # nobody had met item 1 by day 3
    assert np.isnan(straight.cold[1])
    said = one.in_numbers(straight)
    assert said["ndcg@10"] == pytest.approx((1 + 1 / np.log2(3)) / 2, abs=1e-4)
    assert said["coverage"] == 1.0
    assert said["cold_ndcg@10"] is None  # one listing says nothing
    many = judge([answered(3, 1, subject=n) for n in range(LEAST_COLD)], rows)
    assert many.in_numbers(many.references(0)["no_op"])["cold_ndcg@10"] == pytest.approx(
        1 / np.log2(3), abs=1e-4
    )


def test_what_was_chosen_where_few_look_counts_for_those_who_did_not() -> None:
    assert mean(np.array([1.0, 0.0]), np.array([3.0, 1.0])) == 3 / 4
    assert mean(np.empty(0), np.empty(0)) == 0


def test_the_gate_wants_enough_to_judge_by_and_a_gain_over_everything() -> None:
    who, equal = np.arange(60), np.ones(60)
    others = {"prior": outcome([0.4] * 60), "shuffle": outcome([0.2] * 60), "no_op": outcome([0.3] * 60)}
    assert gate(outcome([0.5] * 60), others, who, equal, live="prior").promote
    worse = gate(outcome([0.35] * 60), others, who, equal, live="prior")
    assert (worse.promote, str(worse.reason)[:38]) == (False, "worse: NDCG@10 0.350 against 0.400 of ")
    others["no_op"] = outcome([0.6] * 60)
    plain = gate(outcome([0.5] * 60), others, who, equal, live="prior")
    assert (plain.promote, str(plain.reason)[:32]) == (False, "no better than the order given (")
    few = gate(outcome([0.9] * 49), {"prior": outcome([0.1] * 49)}, who[:49], equal[:49], live="prior")
    assert (few.promote, "only 49 listings of 49 visitors" in str(few.reason)) == (False, True)
    crowd = gate(outcome([0.9] * 60), {"prior": outcome([0.1] * 60)}, np.zeros(60), equal, live="prior")
    assert not crowd.promote


def test_a_live_ranker_gives_way_to_one_that_is_as_good_and_knows_newer_acts() -> None:
    who, equal = np.arange(60), np.ones(60)
    ours, live = outcome([0.4, 0.6] * 30), outcome([0.403, 0.603] * 30)
    verdict = gate(ours, {"live": live}, who, equal, live="live")
    assert not verdict.promote  # its whole interval lies below nought
    assert gate(live, {"live": ours}, who, equal, live="live").promote
    assert gate(ours, {"live": ours}, who, equal, live="live").reason.code == "no_worse"


def behaviour(logged: list[tuple[Answered, np.ndarray]], rows: Any, count: int) -> Behaviour:
    shop = facts(*(f"thing {n}" for n in range(count)))
    none = np.empty(0)
    return Behaviour(
        rows, shop, (), tuple(logged), Counts(none, none, none, none), 0, datetime.fromtimestamp(0, UTC)
    )


def test_clicks_another_ranker_would_have_earned_are_estimated_or_refused() -> None:
    rows = log((1, 1, 0, 0.0))
    odds = np.full(3, 0.5, np.float32)
    many = [(answered(1, 0, subject=n), odds) for n in range(400)]
    given = behaviour(many, rows, 3)
    builder = Builder(rows, given.facts)
    found = off_policy(given, PriorRanker({"popularity": 1.0}), builder, 0.0)
    # item 0 is the popular one and the others tie, so every product stays where it was: a click in three
    assert found["refused"] is None
    assert found["value"] == pytest.approx(1 / 3)
    assert found["logged"] == pytest.approx(1 / 3)
    assert found["doubly_robust"]["value"] == pytest.approx(1 / 3, abs=1e-3)  # the model says the same
    few = off_policy(behaviour(many[:20], rows, 3), PriorRanker(), builder, 0.0)
    assert (few["value"], "effective sample" in translated(few["refused"])) == (None, True)
    refused = off_policy(given, PriorRanker(), builder, 2 * DAY)["refused"].__str__()
    assert "no listing" in translated(refused)


def test_the_doubly_robust_estimate_speaks_for_all_places_and_is_the_surer() -> None:
    """Item 0 is clicked by nine of ten wherever it stands; half of the time it stood last."""
    rows = log((1, 1, 0, 0.0), (1, 2, 0, 0.1), (1, 3, 1, 0.2))
    odds = np.array([0.5, 1, 0.5], np.float32)
    first, last = np.array([0, 1, 2], np.int32), np.array([2, 1, 0], np.int32)
    logged = []
    for subject in range(800):
        items = first if subject % 4 < 2 else last
        chosen = (items == 0).astype(np.float32) * (subject // 4 % 10 > 0)
        logged.append((Answered(subject, 1 * DAY, items, chosen, np.arange(3)), odds))
    given = behaviour(logged, rows, 3)
    plain = off_policy(given, PriorRanker({"popularity": 1.0}), Builder(rows, given.facts), 0.0)
    robust = plain["doubly_robust"]
    for found in (plain, robust):  # the ranker puts item 0 first: 0.9 clicks in three places
        assert found["refused"] is None
        assert found["low"] < 0.3 < found["high"]
    assert robust["high"] - robust["low"] < plain["high"] - plain["low"]
