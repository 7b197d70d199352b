"""Evaluation metrics of a classifier per product; out-of-fold answers of a release."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..evaluation.bootstrap import mean_interval
from ..evaluation.calibration import calibration_error, reliability
from ..evaluation.classification_metrics import (
    accuracy,
    confusion,
    coverage_curve,
    macro,
    per_label,
    threshold_for_error,
    top_k,
)
from ..evaluation.retrieval_metrics import auroc


@dataclass(frozen=True, slots=True)
class Answer:
    """The label a classifier gave a product it had not learned from, and how sure it was."""

    label: str
    probability: float


def pack_answers(keys: Sequence[str], labels: Sequence[str], probabilities: np.ndarray) -> bytes:
    """Answers as bytes: zlib of JSON ``[[key, label's number, probability]]`` after the labels.

    Args:
        keys: of the products. labels: in the order of the columns. probabilities: (N, C).
    """
    best = probabilities.argmax(axis=1) if len(keys) else np.empty(0, int)
    rows = [
        [key, int(label), round(float(probabilities[row, label]), 4)]
        for row, (key, label) in enumerate(zip(keys, best, strict=True))
    ]
    return zlib.compress(json.dumps([list(labels), rows], separators=(",", ":")).encode())


def unpack_answers(data: bytes) -> Mapping[str, Answer]:
    """Answers by product, from what ``pack_answers`` gave; nothing gives none."""
    if not data:
        return {}
    labels, rows = json.loads(zlib.decompress(data))
    return {key: Answer(labels[label], probability) for key, label, probability in rows}


ERRORS = (0.01, 0.02, 0.05, 0.1)  # acceptable shares of wrong labels a merchandiser chooses from
ABSTENTION = "0.05"  # of them, the one coverage is told at
LEAST_KNOWN = 0.5  # below it, a thing is taken for none of the labels, however probable one of them is
MEASURED = 4  # decimals
SHOWN_LABELS = 200  # a confusion matrix of more is left out: it would be megabytes of zeros


def by_item(values: np.ndarray, item_of: np.ndarray, count: int) -> np.ndarray:
    """Mean over each product's photos, (count, ...); products without a photo get zeros."""
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, item_of, values)
    photos = np.bincount(item_of, minlength=count).clip(1)
    return np.asarray(total / photos.reshape(-1, *[1] * (values.ndim - 1)))


def brief(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, float | None]:
    """The few figures every model is compared by."""
    predicted = probabilities.argmax(axis=1)
    return {
        "accuracy": _round(accuracy(predicted, targets)),
        "macro_f1": _round(_macro(predicted, targets, probabilities.shape[1], "f1")),
        "calibration_error": _round(calibration_error(probabilities, targets)),
    }


def measure(
    probabilities: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    known: Sequence[float] | np.ndarray,
    unknown: Sequence[float] | np.ndarray,
) -> dict[str, Any]:
    """Everything about one classifier.

    Args:
        probabilities: of each product's labels, by a classifier that had not seen it, (N, C).
        targets: number of its label. groups: products of one group are drawn together in intervals.
        known: "it carries any of the labels", as a probability, of photos of labels that the classifier knew.
        unknown: the same, of photos whose label it had never heard of.
    """
    count = probabilities.shape[1]
    predicted = probabilities.argmax(axis=1)
    low, high = mean_interval(predicted == targets, groups)
    matrix = confusion(predicted, targets, count)
    labels = per_label(matrix)
    thresholds = thresholds_of(probabilities, targets)
    return {
        **brief(probabilities, targets),
        "accuracy_interval": [_round(low), _round(high)],
        "top5": _round(top_k(probabilities, targets, 5)),
        "macro_precision": _round(macro(labels, "precision")),
        "macro_recall": _round(macro(labels, "recall")),
        "open_set_auroc": _round(auroc(list(known), list(unknown))),
        "thresholds": thresholds,
        "coverage": (thresholds[ABSTENTION] or {}).get("coverage", 0.0),
        "products": len(targets),
        "classes": [_rounded(asdict(one)) for one in labels],
        "confusion": matrix.tolist() if count <= SHOWN_LABELS else [],
        "reliability": [_rounded(asdict(one)) for one in reliability(probabilities, targets)],
        "coverage_curve": [_rounded(asdict(one)) for one in coverage_curve(probabilities, targets)],
    }


def thresholds_of(probabilities: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """For each error that may be accepted: threshold, coverage, error; None where it cannot be kept."""
    found = {}
    for error in ERRORS:
        one = threshold_for_error(probabilities, targets, error)
        found[str(error)] = _rounded(asdict(one), 6) if one.coverage else None
    return found


def _macro(predicted: np.ndarray, targets: np.ndarray, count: int, name: str) -> float:
    return macro(per_label(confusion(predicted, targets, count)), name)


def _rounded(values: Mapping[str, Any], decimals: int = MEASURED) -> dict[str, Any]:
    return {k: round(v, decimals) if isinstance(v, float) else v for k, v in values.items()}


def _round(value: float) -> float | None:
    return round(value, MEASURED) if np.isfinite(value) else None
