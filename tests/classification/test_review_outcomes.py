"""People's decisions about live classifiers' suggestions, counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from shopvision.classification.models import ClassifierRelease, Decision
from shopvision.classification.review_outcomes import evaluate_reviews
from tests.classification.conftest import SOURCE, TARGET

pytestmark = pytest.mark.django_db


def decide(
    release: Any, first: int, count: int, verb: str, probability: float | None = 0.8, **values: Any
) -> None:
    Decision.objects.bulk_create(
        Decision(
            source=SOURCE,
            object_id=str(number),
            target=TARGET,
            verb=verb,
            label="1",
            suggested="1",
            probability=probability,
            release=release,
            user_name="rita",
            **values,
        )
        for number in range(first, first + count)
    )


def test_shares_by_hand_and_calibration_with_its_floor(trained: ClassifierRelease) -> None:
    decide(trained, 0, 24, "accept")
    decide(trained, 24, 4, "correct")
    decide(trained, 28, 2, "reject")
    (found,) = evaluate_reviews()
    assert (found["source"], found["target"], found["release"]) == (SOURCE, TARGET, str(trained))
    assert (found["decisions"], found["missing"]) == (30, 0)
    assert found["accepted"] == 24 / 30
    assert found["corrected"] == round(4 / 30, 4)
    assert found["rejected"] == round(2 / 30, 4)
    low, high = found["accepted_interval"]
    assert low < 0.8 < high
    # 15 bins of two: the first twelve are wholly right (0.2 off), the last three wholly wrong (0.8 off)
    assert found["calibration_error"] == round((12 * 0.2 + 3 * 0.8) / 15, 4)
    assert 0 < found["calibration_floor"] < 0.5
    assert "rita" not in str(found)


def test_the_latest_standing_decision_about_the_live_releases_suggestion_counts(
    trained: ClassifierRelease,
) -> None:
    decide(trained, 0, 20, "reject")
    decide(trained, 0, 20, "accept")  # the same products, later
    decide(trained, 20, 5, "reject", undone_at=trained.created_at)
    decide(None, 30, 5, "reject")  # of a release that is gone
    decide(trained, 40, 5, "apply")  # by a job
    (found,) = evaluate_reviews()
    assert (found["decisions"], found["accepted"]) == (20, 1.0)


def test_suggestions_without_a_probability_have_no_calibration(trained: ClassifierRelease) -> None:
    decide(trained, 0, 20, "accept", None)
    (found,) = evaluate_reviews()
    assert (found["accepted"], found["calibration_error"], found["calibration_floor"]) == (1.0, None, None)


def test_too_few_decisions_say_how_many_are_missing(trained: ClassifierRelease) -> None:
    decide(trained, 0, 3, "accept")
    (found,) = evaluate_reviews()
    assert (found["decisions"], found["missing"]) == (3, 17)
    assert "accepted" not in found


def test_without_a_live_classifier_there_is_nothing(db: None) -> None:
    assert evaluate_reviews() == []
