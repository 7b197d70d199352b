from __future__ import annotations

import numpy as np
import pytest

from shopvision.search.match import LEVELS, background, decide, features, fit_no_match, percentiles


def test_the_background_is_of_different_products_only() -> None:
    """Two products at right angles: every pair of different products has cosine 0."""
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    quantiles = background(vectors, np.array([1, 1, 2]))
    assert len(quantiles) == len(LEVELS)
    assert set(quantiles) == {0.0}
    assert background(vectors[:2], np.array([1, 1])) == []


def test_a_percentile_is_read_off_the_quantiles() -> None:
    quantiles = [level / 100 for level in LEVELS]
    assert percentiles([0.5, 2.0, -1.0], quantiles) == pytest.approx([50, 100, 0])
    assert percentiles([], quantiles) == []
    assert percentiles([0.5], []) == [None]


def test_features_are_the_best_and_its_lead() -> None:
    """0.9 leads the mean of 0.5, 0.3, 0.2, 0.2 = 0.3 by 0.6; later ones do not count."""
    assert features(np.array([0.9, 0.5, 0.3, 0.2, 0.2, 0.1])) == pytest.approx([0.9, 0.6])
    assert features(np.array([0.9])) == pytest.approx([0.9, 0.9])


def test_what_is_sold_gets_the_higher_probability() -> None:
    rng = np.random.default_rng(0)
    sold = np.column_stack([rng.normal(0.7, 0.1, 200), rng.normal(0.3, 0.1, 200)])
    other = np.column_stack([rng.normal(0.4, 0.1, 200), rng.normal(0.1, 0.1, 200)])
    record = {"no_match": fit_no_match(np.vstack([sold, other]), np.arange(400) < 200)}
    strong = decide(np.array([0.8, 0.4, 0.4, 0.4, 0.4]), record)
    none = decide(np.array([0.3, 0.29, 0.28, 0.28, 0.27]), record)
    assert (strong.level, none.level) == ("strong", "none")
    assert 0.0 < none.probability < 0.1 < 0.9 < strong.probability < 1.0


def test_an_untaught_decision_never_denies_what_hardly_comes_by_chance() -> None:
    """0.2 of 60 products would be as near as 99.7 % by chance; 3 as near as 95 %, and it says nothing then."""
    record = {"quantiles": [level / 100 for level in LEVELS], "products": 60}
    record["quantiles"] = [0.3 * q for q in record["quantiles"]]
    near, far = (np.array([0.3 * share / 100] * 5) for share in (99.7, 95))
    assert (decide(near, record).level, decide(far, record).level) == ("weak", "none")
    assert decide(near, record).probability >= 0.4 > decide(far, record).probability
    taught = {**record, "no_match": {"mean": [0.5, 0.1], "scale": [0.1, 0.1], "weights": [0.0, 2.0, 0.0]}}
    assert decide(near, taught).level == "none"
    assert decide(near, {**taught, "examples": 100}).level == "weak"


def test_a_hit_that_stands_out_never_speaks_against_itself() -> None:
    """Of kinds with many alike: what is sold lies near all five, so a small lead seems to say that it is sold."""
    rng = np.random.default_rng(0)
    sold = np.column_stack([rng.normal(0.7, 0.1, 200), rng.normal(0.1, 0.05, 200)])
    other = np.column_stack([rng.normal(0.5, 0.1, 200), rng.normal(0.3, 0.05, 200)])
    record = {"no_match": fit_no_match(np.vstack([sold, other]), np.arange(400) < 200)}
    crowd, alone = (np.array([0.62, *[0.62 - lead] * 4]) for lead in (0.05, 0.4))
    assert decide(crowd, record).probability == decide(alone, record).probability > 0.5
    assert decide(crowd - 0.1, record).probability < 0.5


def test_no_hits_are_no_match_and_one_kind_alone_teaches_nothing() -> None:
    assert decide(np.array([]), {}).level == "none"
    assert fit_no_match(np.ones((3, 2)), np.ones(3, bool)) == fit_no_match(np.ones((3, 2)), np.zeros(3, bool))
