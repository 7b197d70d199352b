"""Promotion gate of classifiers: paired comparison with the live release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..evaluation.bootstrap import mean_interval
from ..messages import Message
from .classifier_evaluation import Answer, unpack_answers
from .classifier_releases import is_stale, live, open_release
from .dataset import Dataset, snapshot_rows
from .models import ClassifierRelease
from .predict import answers_of

TOLERANCE = 0.005  # accuracy a candidate may lose to noise: it has seen newer labels, so a tie is a gain
LEAST_PRODUCTS = 20  # compared; fewer say nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decided, and why."""

    promote: bool
    reason: Message
    compared: dict[str, Any]


def gate(candidate: ClassifierRelease, dataset: Dataset) -> Verdict:
    """Promote if it is no worse than the live one, or, as the first, than always saying the commonest label.

    Both are judged by answers to products they had not learned from: the candidate's out of fold, the live
    one's out of fold as kept in its release, and, for products that came since, what it says of them now.
    So both use all labels to learn from, and the comparison is fair. A product that shares its group with
    one the live release learned from counts as seen. The difference is bootstrapped over groups.

    Args:
        candidate: with its held-out answers.
        dataset: it was trained on, with the labels as they stand now.
    """
    ours = unpack_answers(bytes(candidate.held_out))
    other = live(candidate.source, candidate.target)
    if other is None or other.pk == candidate.pk:
        return _first(dataset, ours)
    theirs = _answers_of_live(other, dataset)
    rows = [n for n, one in enumerate(dataset.items) if one.key in ours and one.key in theirs]
    if len(rows) < LEAST_PRODUCTS:
        return Verdict(
            True, Message("too_few_to_compare", {"products": len(rows), "release": str(other)}), {}
        )
    right = [_right(dataset, rows, answers) for answers in (ours, theirs)]
    return _compare(str(other), dataset.groups[rows], right[0], right[1])


def _right(dataset: Dataset, rows: list[int], answers: Any) -> np.ndarray:
    """Which of the answers are right by the labels as they stand now, float (N,)."""
    items = [dataset.items[row] for row in rows]
    return np.array([answers[one.key].label == dataset.labels[one.label].id for one in items], float)


def _compare(name: str, groups: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> Verdict:
    gain = ours - theirs
    mean = float(gain.mean())
    low, high = mean_interval(gain, groups)
    compared = {
        "with": name,
        "products": len(gain),
        "accuracy": round(float(ours.mean()), 4),
        "theirs": round(float(theirs.mean()), 4),
        "gain": round(mean, 4),
        "interval": [round(low, 4), round(high, 4)],
    }
    why = Message(
        "compared_with_live_classifier",
        {
            "ours": f"{ours.mean():.1%}",
            "theirs": f"{theirs.mean():.1%}",
            "release": name,
            "products": len(gain),
            "gain": f"{100 * mean:+.1f}",
            "low": f"{100 * low:+.1f}",
            "high": f"{100 * high:+.1f}",
        },
    )
    if high < 0 or mean < -TOLERANCE:
        return Verdict(False, Message("worse", {"why": why}), compared)
    return Verdict(True, Message("better" if low > 0 else "no_worse", {"why": why}), compared)


def _first(dataset: Dataset, ours: dict[str, Answer] | Any) -> Verdict:
    """Nothing is live: it must be right more often than always saying the commonest label."""
    rows = [n for n, one in enumerate(dataset.items) if one.key in ours]
    right = _right(dataset, rows, ours)
    targets = dataset.targets[rows]
    commonest = int(np.bincount(targets).argmax())
    guess = (targets == commonest).astype(float)
    name = f"always saying {dataset.labels[commonest].name!r}"
    low, high = mean_interval(right - guess, dataset.groups[rows])
    compared = {
        "with": name,
        "products": len(rows),
        "accuracy": round(float(right.mean()), 4),
        "theirs": round(float(guess.mean()), 4),
        "gain": round(float((right - guess).mean()), 4),
        "interval": [round(low, 4), round(high, 4)],
    }
    better = bool(right.mean() > guess.mean())
    why = Message(
        "compared_with_commonest_label",
        {
            "ours": f"{right.mean():.1%}",
            "products": len(rows),
            "label": dataset.labels[commonest].name,
            "theirs": f"{guess.mean():.1%}",
        },
    )
    return Verdict(
        better, Message("first_classifier" if better else "no_better_than_guess", {"why": why}), compared
    )


def _answers_of_live(row: ClassifierRelease, dataset: Dataset) -> dict[str, Answer]:
    """What the live release says of products it had not learned from."""
    full = ClassifierRelease.objects.only("held_out", "snapshot_id").get(pk=row.pk)
    kept = dict(unpack_answers(bytes(full.held_out)))
    seen = {key for key, *_ in snapshot_rows(row.snapshot)}
    touched = {one.group for one in dataset.items if one.key in seen}
    fresh = [n for n, one in enumerate(dataset.items) if one.key not in seen and one.group not in touched]
    if fresh and not is_stale(row):
        kept |= answers_of(open_release(row), dataset, fresh)
    return kept
