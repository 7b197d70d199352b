"""Agreement of people with the live classifiers' suggestions, and calibration, per target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..evaluation.bootstrap import mean_interval
from ..evaluation.calibration import calibration_error
from .labels import BY_PEOPLE
from .models import ClassifierRelease, Decision

LEAST_DECISIONS = 20  # of fewer, one decision is more than five points
FLOOR_DRAWS = 200
Verb = Decision.Verb
SHARES = {"accepted": Verb.ACCEPT, "corrected": Verb.CORRECT, "rejected": Verb.REJECT}


def evaluate_reviews() -> list[dict[str, Any]]:
    """One record for each live classifier: its suggestions against people's decisions that stand.

    The latest decision of each product counts. Which suggestions people look at is not left to chance (the most
    uncertain of much-viewed products come first), so the shares are those of what was reviewed. Nobody is named.

    Returns:
        ``source``, ``target``, ``release``, ``decisions``, ``missing`` (decisions lacking to
        ``LEAST_DECISIONS``; then there are no figures), ``accepted``, ``corrected``, ``rejected``,
        ``accepted_interval`` (95 %), ``calibration_error`` of the suggested labels' probabilities, and
        ``calibration_floor``, the error that as many perfectly calibrated suggestions would show by chance.
    """
    live = ClassifierRelease.objects.filter(state=ClassifierRelease.State.LIVE).order_by("source", "target")
    return [_reviewed(row) for row in live]


def _reviewed(release: ClassifierRelease) -> dict[str, Any]:
    decisions = _standing(release)
    answer: dict[str, Any] = {
        "source": release.source,
        "target": release.target,
        "release": str(release),
        "decisions": len(decisions),
        "missing": max(0, LEAST_DECISIONS - len(decisions)),
    }
    if answer["missing"]:
        return answer
    verbs = np.array([verb for verb, _ in decisions])
    right = (verbs == Verb.ACCEPT).astype(float)
    low, high = mean_interval(right, np.arange(len(right)))
    rated = [(verb == Verb.ACCEPT, probability) for verb, probability in decisions if probability is not None]
    return {
        **answer,
        **{name: round(float((verbs == verb).mean()), 4) for name, verb in SHARES.items()},
        "accepted_interval": [round(low, 4), round(high, 4)],
        **_calibration(rated),
    }


def _standing(release: ClassifierRelease) -> list[tuple[str, float | None]]:
    """Verb and probability of people's latest standing decisions about this release's suggestions."""
    rows = Decision.objects.filter(
        source=release.source, target=release.target, verb__in=BY_PEOPLE, undone_at=None
    ).order_by("pk")
    latest = {key: (by, str(verb), p) for key, by, verb, p in _columns(rows)}
    return [(verb, probability) for by, verb, probability in latest.values() if by == release.pk]


def _columns(rows: Any) -> Any:
    return rows.values_list("object_id", "release_id", "verb", "probability").iterator(chunk_size=2000)


def _calibration(rated: Sequence[tuple[bool, float]]) -> dict[str, float | None]:
    """Error of the probabilities, and the part of it that chance alone explains."""
    if len(rated) < LEAST_DECISIONS:
        return {"calibration_error": None, "calibration_floor": None}
    right, probabilities = np.array([one for one, _ in rated]), np.array([p for _, p in rated])
    draw = np.random.default_rng(0)
    floors = [_error(probabilities, draw.random(len(rated)) < probabilities) for _ in range(FLOOR_DRAWS)]
    return {
        "calibration_error": round(_error(probabilities, right), 4),
        "calibration_floor": round(float(np.mean(floors)), 4),
    }


def _error(probabilities: np.ndarray, right: np.ndarray) -> float:
    """Calibration error of suggestions with one label each: number 0 if it is right, else a number it never gives."""
    return calibration_error(probabilities[:, None], np.where(right, 0, 1))
