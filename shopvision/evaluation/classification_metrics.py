"""Accuracy, F1, confusion, coverage curve, thresholds and power-law fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of right answers, ``|{i : p_i = y_i}| / N``; nan without examples."""
    return float((predicted == labels).mean()) if len(labels) else float("nan")


def top_k(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of examples whose label is among the k most probable; nan without examples.

    ``|{i : |{c : p_ic > p_iy}| < k}| / N``: a label tied with others at the border counts.
    """
    if not len(labels):
        return float("nan")
    mine = probabilities[np.arange(len(labels)), labels]
    return float(((probabilities > mine[:, None]).sum(axis=1) < k).mean())


def confusion(predicted: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Examples of each label (rows) that were given each label (columns), int (C, C)."""
    matrix = np.zeros((count, count), int)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


@dataclass(frozen=True, slots=True)
class LabelMeasures:
    """How one label fares.

    Args:
        precision: right among what was given this label; 0 if nothing was.
        recall: right among what has this label; 0 if nothing has.
        f1: ``2 P R / (P + R)``; 0 if both are 0.
        support: examples that have it.
    """

    precision: float
    recall: float
    f1: float
    support: int


def per_label(matrix: np.ndarray) -> list[LabelMeasures]:
    """Precision ``M_cc / sum_r M_rc``, recall ``M_cc / sum_k M_ck`` and F1 of each label of a confusion matrix."""
    found = []
    for label in range(len(matrix)):
        right, given, support = (int(v) for v in _counts(matrix, label))
        precision = right / given if given else 0.0
        recall = right / support if support else 0.0
        both = precision + recall
        f1 = 2 * precision * recall / both if both else 0.0
        found.append(LabelMeasures(precision, recall, f1, support))
    return found


def _counts(matrix: np.ndarray, label: int) -> tuple[int, int, int]:
    return matrix[label, label], matrix[:, label].sum(), matrix[label].sum()


def macro(measures: Sequence[LabelMeasures], name: str) -> float:
    """Mean over the labels that occur of ``precision``, ``recall`` or ``f1``; nan if none occurs."""
    values = [getattr(one, name) for one in measures if one.support]
    return float(np.mean(values)) if values else float("nan")


def macro_f1(predicted: np.ndarray, labels: np.ndarray, count: int) -> float:
    """Mean F1 of the labels that occur: every label weighs the same."""
    return macro(per_label(confusion(predicted, labels, count)), "f1")


@dataclass(frozen=True, slots=True)
class CoveragePoint:
    """What is answered at a threshold on the largest probability.

    Args:
        threshold: answers are given at or above it.
        coverage: share of examples answered.
        error: share of the answers that are wrong; 0 when none is given.
    """

    threshold: float
    coverage: float
    error: float


def coverage_curve(probabilities: np.ndarray, labels: np.ndarray, *, points: int = 50) -> list[CoveragePoint]:
    """Coverage and error from the surest example to all of them.

    Examples ordered by their largest probability, the first n answered: coverage ``n / N``, error ``wrong
    among them / n`` (the risk-coverage curve). Equal probabilities are answered together.

    Args:
        points: at most so many, spread evenly over the coverage.

    Source: El-Yaniv & Wiener, JMLR 2010.
    """
    sure, wrong = _sureness(probabilities, labels)
    total = len(sure)
    if not total:
        return []
    last = np.flatnonzero(np.append(sure[1:] < sure[:-1], True))
    keep = np.unique(np.linspace(0, len(last) - 1, min(points, len(last))).round().astype(int))
    return [CoveragePoint(float(sure[n]), (n + 1) / total, float(wrong[: n + 1].mean())) for n in last[keep]]


def _sureness(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest probabilities, falling, and whether each was wrong."""
    sure = probabilities.max(axis=1) if len(labels) else np.empty(0)
    order = np.argsort(-sure, kind="stable")
    wrong = probabilities.argmax(axis=1)[order] != labels[order] if len(labels) else np.empty(0, bool)
    return sure[order], wrong


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where to abstain for an error that is accepted.

    Args:
        threshold: answer at or above it; above 1 when no threshold keeps the error.
        coverage: share of the examples answered there.
        error: share of those answers that were wrong.
    """

    threshold: float
    coverage: float
    error: float


def threshold_for_error(probabilities: np.ndarray, labels: np.ndarray, error: float) -> Threshold:
    """The lowest threshold on the largest probability that keeps the error, on examples not trained on.

    Among n answers with w wrong the error is taken as ``(w + 1) / (n + 1)``, the finite-sample correction of
    conformal risk control: the next answer is counted as if it were wrong. So a threshold that keeps 5 %
    needs 19 right answers at least. Error among answers does not always fall as the threshold rises, so this
    bounds the expected error on new examples closely, not strictly.

    Args:
        probabilities: out of fold, (N, C).
        labels: int (N,).
        error: accepted share of wrong answers, in (0, 1).

    Raises:
        ValueError: the error is no such share.

    Source: Angelopoulos et al., "Conformal Risk Control", ICLR 2024.
    """
    if not 0 < error < 1:
        raise ValueError(f"an accepted error lies between 0 and 1, not {error}")
    sure, wrong = _sureness(probabilities, labels)
    count = np.arange(1, len(sure) + 1)
    corrected = (np.cumsum(wrong) + 1) / (count + 1)
    last = np.append(sure[1:] < sure[:-1], True)[: len(sure)]
    fine = np.flatnonzero((corrected <= error) & last)
    if not len(fine):
        return Threshold(1.01, 0.0, 0.0)
    n = int(fine[-1]) + 1
    return Threshold(float(sure[n - 1]), n / len(sure), float(wrong[:n].mean()))


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """``error(n) = floor + scale n^-rate``, fitted to errors at several numbers of labelled examples."""

    floor: float
    scale: float
    rate: float

    def error(self, count: float) -> float:
        """Expected error with so many labelled examples."""
        return float(self.floor + self.scale * count**-self.rate)


def fit_power_law(counts: Sequence[float], errors: Sequence[float]) -> PowerLaw:
    """The learning curve: least squares over a grid of floors and rates, the scale in closed form.

    Scale and floor are never negative. With one point, or errors that do not fall, the law is flat.

    Args:
        counts: labelled examples, positive. errors: measured on others, as long as ``counts``.

    Source: Cortes et al., "Learning Curves", NIPS 1993; Hestness et al., 2017.
    """
    n, e = np.asarray(counts, float), np.asarray(errors, float)
    best = PowerLaw(float(e.mean()), 0.0, 1.0)
    least = float(((e - e.mean()) ** 2).sum())
    if len(n) < 2:
        return best
    for rate in np.arange(0.1, 1.55, 0.05):
        x = n**-rate
        for floor in np.linspace(0, e.min(), 21):
            scale = max(0.0, float(x @ (e - floor)) / float(x @ x))
            loss = float(((floor + scale * x - e) ** 2).sum())
            if loss < least - 1e-15:
                best, least = PowerLaw(float(floor), scale, float(rate)), loss
    return best
