"""Select the classification head with the best cross-validated loss."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .base import Classifier, softmax
from .cross_validation import cross_validate
from .labelled_set import LabelledSet, folds_of
from .modalities import Candidate, Single, fuse_best, photo_side, text_side
from .near_duplicates import join_copies
from .open_set import fit_open_set

KINDS = ("prototypes", "linear", "text", "fused")


@dataclass(frozen=True)
class Report:
    """How a head did on examples it had not seen.

    Args:
        kind: of the head.
        probabilities: out of fold, calibrated, float64 (N, C).
        targets: numbers of the labels of those examples, int (N,).
        known: probability that the label is known, of examples of labels trained on, out of fold.
        unknown: the same of examples whose label had been left out of the training.
        compared: log-loss out of fold of every kind tried.
        modalities: share of right answers out of fold: ``image``, ``text``, ``both``, as far as there are.
        chosen: settings that cross-validation preferred.
        seconds: training took.
    """

    kind: str
    probabilities: np.ndarray
    targets: np.ndarray
    known: np.ndarray
    unknown: np.ndarray
    compared: Mapping[str, float] = field(default_factory=dict)
    modalities: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def fit_head(
    training: LabelledSet, *, kind: str = "auto", folds: int = 5, seed: int = 0, balance: float = 0.5
) -> tuple[Classifier, Report]:
    """Train a head, calibrate it and teach it doubt, all out of fold.

    Args:
        training: with descriptors, texts or both.
        kind: one of ``KINDS``, or ``auto``: the one with the least log-loss out of fold among those that the
            examples allow. Where labels have a few photos each that is mostly ``prototypes``.
        folds: of the cross-validation; fewer where no label has as many products.
        seed: of the folds.
        balance: 0 weighs examples alike, 1 labels alike; between, labels weigh by a root of their numbers.

    Raises:
        ValueError: fewer than two labels, a label with fewer than two products, an unknown kind, or one that
            looks at what the examples lack.
    """
    start = time.perf_counter()
    wanted = _possible(training, kind)
    _check(training)
    groups = training.groups
    if training.examples.descriptors:
        groups = join_copies(training.examples.descriptors, training.targets, groups, training.glances)
    fold_of = folds_of(training.targets, groups, folds, seed=seed)
    tried = _try_all(training, wanted, fold_of, balance)
    best = min((tried[one] for one in wanted), key=lambda one: one.loss)
    looks, heard = best.looks()
    open_set = fit_open_set(looks, heard)
    doubt = open_set.of_features(looks)
    report = Report(
        best.kind,
        softmax(best.scores),
        training.targets,
        doubt[heard],
        doubt[~heard],
        {one: round(tried[one].loss, 4) for one in wanted},
        _modalities(tried, training.targets),
        best.chosen,
        round(time.perf_counter() - start, 2),
    )
    return best.head(open_set), report


def _try_all(
    training: LabelledSet, wanted: list[str], folds: np.ndarray, balance: float
) -> dict[str, Candidate]:
    """Every kind that is wanted, and those a fused head is made of."""
    photo_kinds = [one for one in ("prototypes", "linear") if one in wanted or wanted == ["fused"]]
    singles: dict[str, Single] = {}
    if photo_kinds:
        photos = photo_side(training, folds, balance)
        for one in photo_kinds:
            side = photos.of(one)
            singles[one] = Single(side, cross_validate(side.table, one))
    if "text" in wanted or "fused" in wanted:
        texts = text_side(training, folds, balance)
        singles["text"] = Single(texts, cross_validate(texts.table, "text"))
    tried: dict[str, Candidate] = {**singles}
    if "fused" in wanted:
        photo = min((singles[one] for one in photo_kinds), key=lambda one: one.loss)
        tried["fused"] = fuse_best(photo, singles["text"])
    return tried


def _modalities(tried: Mapping[str, Candidate], targets: np.ndarray) -> dict[str, float]:
    """Share of right answers out of fold of the best of each modality."""
    names = {"prototypes": "image", "linear": "image", "text": "text", "fused": "both"}
    found: dict[str, float] = {}
    for kind, one in sorted(tried.items(), key=lambda item: -item[1].loss):
        found[names[kind]] = round(float((one.scores.argmax(1) == targets).mean()), 4)
    return found


def _possible(training: LabelledSet, kind: str) -> list[str]:
    given = training.examples.given
    needs = {
        "prototypes": {"descriptors"},
        "linear": {"descriptors"},
        "text": {"texts"},
        "fused": {"descriptors", "texts"},
    }
    if kind == "auto":
        return [one for one in KINDS if needs[one] <= given]
    if kind not in needs:
        raise ValueError(f"no head of kind {kind!r}; there are {', '.join(KINDS)} and auto")
    if not needs[kind] <= given:
        raise ValueError(f"a {kind!r} head looks at {', '.join(sorted(needs[kind] - given))}: none given")
    return [kind]


def _check(training: LabelledSet) -> None:
    """Refuse what no fold could be made of."""
    if len(training.labels) < 2:
        raise ValueError(f"a head tells two labels or more apart, not {len(training.labels)}")
    for number, name in enumerate(training.labels):
        products = len(np.unique(training.groups[training.targets == number]))
        if products < 2:
            raise ValueError(f"label {name!r} has {products} labelled products; two are needed")
