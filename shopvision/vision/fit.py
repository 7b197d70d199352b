"""Labelled photos -> the head that cross-validation prefers, and how good it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .classifier import Classifier, softmax
from .heads import BlockMap, Landmarks, LinearHead, Prototypes
from .labelled import LabelledSet, splits, stratified_folds
from .logistic import fit_logistic
from .open_set import OpenSet, features, fit_open_set
from .projection import EPSILON, principal, unit
from .reduction import Reduction, fit_reduction

RIDGES = (3e-4, 1e-3, 3e-3)  # of the linear head, tried by cross-validation
SHRINK = 0.2  # of the scatter within labels towards a sphere
SPACE = 128  # dimensions in which centres lie
LABEL_FOLDS = 5  # groups of labels left out in turn, to learn the doubt
KINDS = ("prototypes", "linear")


@dataclass(frozen=True)
class Report:
    """How a head did on examples it had not seen.

    Args:
        kind: of the head.
        probabilities: out of fold, calibrated, float64 (N, C).
        known: out of fold: probability that the label is known, float64 (N,).
        left_out: the same for examples whose label had been left out of the training, float64 (M,).
        chosen: settings that cross-validation preferred.
        seconds: training took.
        compared: log-loss of every kind that was tried, out of fold.
    """

    kind: str
    probabilities: np.ndarray
    known: np.ndarray
    left_out: np.ndarray
    chosen: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    compared: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Scored:
    """What a trained head says of some rows."""

    logits: np.ndarray
    nearness: np.ndarray


Rows = tuple[np.ndarray, np.ndarray]


def fit_head(
    training: LabelledSet, *, kind: str = "auto", folds: int = 5, seed: int = 0
) -> tuple[Classifier, Report]:
    """Train a head, calibrate it and teach it doubt, all out of fold.

    Args:
        training: with descriptors.
        kind: ``prototypes``, ``linear``, or ``auto``: the one with the lower log-loss out of fold.
        folds: of the cross-validation; fewer where a label has fewer products.
        seed: of the folds.

    Raises:
        ValueError: fewer than two labels, a label with fewer than two products, or an unknown kind.
    """
    start = time.perf_counter()
    kinds = KINDS if kind == "auto" else (kind,)
    if not set(kinds) <= set(KINDS):
        raise ValueError(f"no head of kind {kind!r}; there are {', '.join(KINDS)} and auto")
    fold_of = stratified_folds(training.targets, training.groups, _usable(training, folds), seed=seed)
    reduction = fit_reduction(training.examples.descriptors or {})
    rows = reduction.rows(training.examples.descriptors or {})
    turn = principal(rows - rows.mean(0), min(rows.shape[1], len(rows) - 1))
    table = _Table(training, rows @ turn, fold_of)
    tried = {one: _cross_validate(table, one) for one in kinds}
    best = min(tried, key=lambda one: tried[one].loss)
    found = tried[best]
    known, left_out, open_set = _doubt(table, best, found)
    head = _final(training, reduction, turn, table, found, open_set)
    compared = {one: round(result.loss, 4) for one, result in tried.items()}
    probabilities = softmax(found.scored.logits * found.scale)
    seconds = time.perf_counter() - start
    return head, Report(best, probabilities, known, left_out, found.chosen, round(seconds, 2), compared)


def _usable(training: LabelledSet, folds: int) -> int:
    """Folds that leave every label a product to train on."""
    if len(training.labels) < 2:
        raise ValueError(f"a head tells two labels or more apart, not {len(training.labels)}")
    for number, name in enumerate(training.labels):
        products = len(np.unique(training.groups[training.targets == number]))
        if products < 2:
            raise ValueError(f"label {name!r} has {products} labelled products; two are needed")
        folds = min(folds, products)
    return max(2, folds)


@dataclass(frozen=True)
class _Table:
    training: LabelledSet
    rows: np.ndarray
    folds: np.ndarray


@dataclass(frozen=True)
class _Result:
    kind: str
    scored: _Scored
    scale: float
    loss: float
    chosen: Mapping[str, Any]


def _cross_validate(table: _Table, kind: str) -> _Result:
    """The best setting of a kind, and its scores out of fold."""
    results = []
    for ridge in RIDGES if kind == "linear" else (0.0,):
        scored = _out_of_fold(
            table, _trainer(kind, ridge), table.training.targets, len(table.training.labels)
        )
        scale = fit_scale(scored.logits, table.training.targets)
        loss = log_loss(scored.logits * scale, table.training.targets)
        results.append(_Result(kind, scored, scale, loss, {"ridge": ridge} if ridge else {}))
    return min(results, key=lambda one: one.loss)


Trainer = Callable[[np.ndarray, np.ndarray, int], Callable[[np.ndarray], _Scored]]


def _trainer(kind: str, ridge: float) -> Trainer:
    def train(rows: np.ndarray, targets: np.ndarray, count: int) -> Callable[[np.ndarray], _Scored]:
        space, centres = fit_centres(rows, targets, count)

        def nearness(new: np.ndarray) -> np.ndarray:
            return np.asarray(unit(new @ space) @ centres.T)

        if kind == "prototypes":
            return lambda new: _Scored(nearness(new), nearness(new))
        slopes, intercepts = fit_logistic(rows, np.eye(count)[targets], ridge=ridge)
        return lambda new: _Scored(new @ slopes + intercepts, nearness(new))

    return train


def _out_of_fold(table: _Table, train: Trainer, targets: np.ndarray, count: int) -> _Scored:
    logits, nearness = np.zeros((len(targets), count)), np.zeros((len(targets), count))
    for inside, outside in splits(table.folds):
        scored = train(table.rows[inside], targets[inside], count)(table.rows[outside])
        logits[outside], nearness[outside] = scored.logits, scored.nearness
    return _Scored(logits, nearness)


def fit_centres(rows: np.ndarray, targets: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A space in which a label's photos lie close, (d, r), and each label's centre there, unit (C, r).

    Whitened by the scatter within labels, shrunk towards a sphere, then its principal axes.

    Args:
        rows: centred, (N, d). targets: int (N,), each label at least once. count: C.
    """
    centres = np.stack([rows[targets == label].mean(0) for label in range(count)])
    moved = rows - centres[targets]
    size = rows.shape[1]
    scatter = moved.T @ moved / len(rows)
    sphere = np.trace(scatter) / size * np.eye(size)
    values, vectors = np.linalg.eigh((1 - SHRINK) * scatter + SHRINK * sphere)
    white = vectors / np.sqrt(np.maximum(values, EPSILON))
    space = white @ principal(rows @ white, min(SPACE, size))
    means = unit(rows @ space)
    return space, unit(np.stack([means[targets == label].mean(0) for label in range(count)]))


def fit_scale(logits: np.ndarray, targets: np.ndarray) -> float:
    """What logits are multiplied with so that their softmax is calibrated: least log-loss, by golden section.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017 (temperature scaling).
    """
    low, high = np.log(0.01), np.log(1000.0)
    golden = (np.sqrt(5) - 1) / 2
    for _ in range(40):
        a, b = high - golden * (high - low), low + golden * (high - low)
        if log_loss(logits * np.exp(a), targets) < log_loss(logits * np.exp(b), targets):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def log_loss(logits: np.ndarray, targets: np.ndarray) -> float:
    """``-mean log p(label)``."""
    top = logits.max(axis=1)
    norm = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
    return float((norm - logits[np.arange(len(targets)), targets]).mean())


def _doubt(table: _Table, kind: str, found: _Result) -> tuple[np.ndarray, np.ndarray, OpenSet]:
    """Leave labels out in turn: how the head looks at things of a label that it has never heard of."""
    training, train = table.training, _trainer(kind, found.chosen.get("ridge", 0.0))
    count = len(training.labels)
    group_of = np.arange(count) % min(LABEL_FOLDS, count // 2) if count > 3 else np.zeros(count, int)
    seen, unseen = [], []
    for group in range(group_of.max() + 1) if count > 3 else ():
        kept = np.flatnonzero(group_of != group)
        place = np.full(count, -1)
        place[kept] = np.arange(len(kept))
        label = place[training.targets]
        for inside, outside in splits(table.folds):
            inside = inside[label[inside] >= 0]
            scored = train(table.rows[inside], label[inside], len(kept))(table.rows[outside])
            looks = features(scored.logits * found.scale, scored.nearness)
            seen.append(looks[label[outside] >= 0])
            unseen.append(looks[label[outside] < 0])
    inside, outside = (np.concatenate(part) if part else np.empty((0, 3)) for part in (seen, unseen))
    truth = np.arange(len(inside) + len(outside)) < len(inside)
    open_set = fit_open_set(np.concatenate([inside, outside]), truth)
    known = open_set.known(found.scored.logits * found.scale, found.scored.nearness)
    return known, open_set.of_features(outside), open_set


def _final(
    training: LabelledSet,
    reduction: Reduction,
    turn: np.ndarray,
    table: _Table,
    found: _Result,
    open_set: OpenSet,
) -> Classifier:
    """The head trained on everything, folded into one matrix a block."""
    count = len(training.labels)
    space, centres = fit_centres(table.rows, training.targets, count)
    landmarks = Landmarks(reduction.fold(turn @ space, np.zeros(space.shape[1])), centres)
    if found.kind == "prototypes":
        return Prototypes(training.labels, landmarks, found.scale, open_set, found.chosen)
    slopes, intercepts = fit_logistic(
        table.rows, np.eye(count)[training.targets], ridge=found.chosen["ridge"]
    )
    logits: BlockMap = reduction.fold(turn @ slopes, intercepts)
    return LinearHead(training.labels, logits, found.scale, landmarks, open_set, found.chosen)
