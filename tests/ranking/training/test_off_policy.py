"""Off-policy estimates: by hand, against a known truth, on real logs, and refused where they would be luck."""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shopvision.ranking.training.off_policy import (
    LEAST_CLICKS,
    Logged,
    doubly_robust,
    effective_sample,
    importance,
    snips,
)

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SHOPVISION_DATA") or ROOT.parent / "shared" / "data")
needs_logs = pytest.mark.skipif(
    not (DATA / "open-bandit").is_dir(), reason="SHOPVISION_DATA has no open-bandit folder"
)


def logged(rewards: list[float], propensities: list[float], targets: list[float], times: int = 1) -> Logged:
    """Rows, each repeated so often, each its own group."""
    columns = [np.repeat(np.array(values, float), times) for values in (rewards, propensities, targets)]
    return Logged(*columns, groups=np.arange(len(columns[0])))


def test_effective_sample_worked_by_hand() -> None:
    """Weights 1, 1, 2: 4^2 / 6; equal ones count all; none count nothing."""
    assert effective_sample(np.array([1, 1, 2])) == pytest.approx(16 / 6)
    assert effective_sample(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_sample(np.zeros(3)) == 0


def test_snips_worked_by_hand() -> None:
    """Weights 1/2, 2, 1 and rewards 1, 0, 1: (1/2 + 1) / (7/2)."""
    found = snips(logged([1, 0, 1], [0.5, 0.25, 0.5], [0.25, 0.5, 0.5], times=500))
    assert found.value == pytest.approx(3 / 7)
    assert found.low < 3 / 7 < found.high
    assert (found.effective, found.clicks, found.refused) == (pytest.approx(500 * 49 / 21), 1000, None)


def test_doubly_robust_worked_by_hand() -> None:
    """Guesses 1/2 of the shown and 1/4 of the other: the mean of 1/4 + w (r - 1/2), w = 1/2, 2, 1."""
    rows = logged([1, 0, 1], [0.5, 0.25, 0.5], [0.25, 0.5, 0.5], times=500)
    found = doubly_robust(replace(rows, predicted=np.full(1500, 0.5), predicted_other=np.full(1500, 0.25)))
    assert found.value == pytest.approx(1 / 4 + (1 / 4 - 1 + 1 / 2) / 3)


def test_a_perfect_model_leaves_nothing_to_mend() -> None:
    rows = logged([1, 0, 1], [0.5, 0.25, 0.5], [0.25, 0.5, 0.5], times=500)
    found = doubly_robust(replace(rows, predicted=rows.rewards, predicted_other=np.full(1500, 0.7)))
    assert (found.value, found.low, found.high) == pytest.approx((0.7, 0.7, 0.7))


def test_large_weights_are_clipped() -> None:
    assert importance(logged([1], [1e-6], [0.5]), clip=10).tolist() == [10]


@pytest.mark.parametrize(
    ("propensity", "target"), [(0, 0.5), (1.5, 0.5), (0.5, -0.1), (0.5, 2), (np.nan, 0.5)]
)
def test_what_is_no_probability_is_refused(propensity: float, target: float) -> None:
    with pytest.raises(ValueError, match="propensities lie"):
        snips(logged([1], [propensity], [target]))


def test_too_few_clicks_or_too_small_a_sample_is_refused() -> None:
    few = snips(logged([1, *[0] * 99], [0.5] * 100, [0.5] * 100, times=LEAST_CLICKS - 1))
    assert (str(few.refused), np.isnan(few.value)) == ("49 clicks, at least 50 are needed", True)
    one_row = np.array([1.0] * 60 + [0] * 9940)
    uneven = snips(
        Logged(one_row, np.r_[np.full(100, 1e-3), np.ones(9900)], np.full(10_000, 0.1), np.arange(10_000))
    )
    assert str(uneven.refused).startswith("effective sample of 1")
    assert np.isnan(uneven.low)


def test_without_a_model_there_is_no_doubly_robust_estimate() -> None:
    with pytest.raises(ValueError, match="needs a model"):
        doubly_robust(logged([1], [0.5], [0.5]))


def test_both_cover_the_known_value_of_another_policy() -> None:
    """Two policies over four products with known click rates; 20 logs of 4,000 rows."""
    rates, ours, other = np.array([0.02, 0.04, 0.08, 0.1]), np.full(4, 0.25), np.array([0.1, 0.1, 0.2, 0.6])
    truth, covered = float(rates @ other), np.zeros(2)
    for seed in range(20):
        draw = np.random.default_rng(seed)
        shown = draw.choice(4, 4000, p=ours)
        clicks = (draw.random(4000) < rates[shown]).astype(float)
        guess = rates * 0.5 + 0.02  # a poor model
        log = Logged(
            clicks, ours[shown], other[shown], np.arange(4000), guess[shown], np.full(4000, guess @ other)
        )
        for place, estimate in enumerate((snips, doubly_robust)):
            found = estimate(log, seed=seed)
            covered[place] += found.low <= truth <= found.high
    assert (covered >= 0.85 * 20).all()


def impressions(*names: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Slot (campaign, position and item), click, propensity and number of items of logs, one after another."""
    slots: list[str] = []
    columns: list[tuple[float, float, float]] = []
    for name in names:
        path: Path = DATA / "open-bandit" / f"{name}.csv.gz"
        items = len((DATA / "open-bandit" / f"{name}_items.csv").read_text().splitlines()) - 1
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                slots.append(f"{name.split('_')[0]} {row['position']} {row['item_id']}")
                columns.append((float(row["click"]), float(row["action_prob"]), items))
    clicks, propensities, counts = np.array(columns).T
    return np.array(slots), clicks, propensities, counts


@needs_logs
@pytest.mark.realdata
def test_the_interval_covers_what_the_other_logged_policy_earned() -> None:
    """Both campaigns together: from the random log what Thompson sampling earned, and the other way round."""
    slots, clicks, propensities, _ = impressions("men_random", "women_random")
    theirs, earned, _, _ = impressions("men_bts", "women_bts")
    names, counts = np.unique(theirs, return_counts=True)
    shares = dict(zip(names, counts / (len(theirs) / 6), strict=True))  # of a slot: 2 campaigns, 3 positions
    targets = np.minimum([shares.get(slot, 0.0) for slot in slots], 1)
    found = snips(Logged(clicks, propensities, targets, np.arange(len(clicks))))
    assert found.low <= earned.mean() <= found.high

    theirs, earned, propensities, counts = impressions("men_bts", "women_bts")
    back = snips(Logged(earned, propensities, 1 / counts, np.arange(len(earned))))
    assert back.low <= clicks.mean() <= back.high
    assert back.effective < len(earned) / 10  # Thompson sampling had all but given up on some products


@needs_logs
@pytest.mark.realdata
def test_one_campaigns_random_log_has_too_few_clicks() -> None:
    _, clicks, propensities, _ = impressions("men_random")
    found = snips(Logged(clicks, propensities, propensities, np.arange(len(clicks))))
    assert found.refused == "46 clicks, at least 50 are needed"
