"""The shop's own labels -> a classifier, judged on products it had not seen, and its place behind the gate."""

from __future__ import annotations

import platform
from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from django.db import transaction

from .. import telemetry
from ..evaluation.retrieval import auroc
from ..exceptions import InvalidRequest
from ..indexing import releases as encoders
from ..vision.classifier import Classifier, Examples
from ..vision.fit import Report, fit_head
from ..vision.labelled import LabelledSet
from .dataset import Dataset, quality, read_dataset, snapshot
from .gate import gate
from .held_out import pack_answers
from .measures import brief, by_item, measure
from .models import ClassifierRelease, DatasetSnapshot
from .release import live, promote, store

PACKAGES = ("shopvision", "numpy", "onnxruntime")
KINDS = ("prototypes", "linear")
State = ClassifierRelease.State


@dataclass(frozen=True)
class Trial:
    """One kind of classifier, trained, with what it said of products it had not seen.

    Args:
        classifier: trained on everything.
        probabilities: of each product's labels, out of fold, (N, C).
        known: probability that it is any of the labels, (N,).
        left_out: the same for things whose label it had never heard of.
        report: how it was made.
    """

    classifier: Classifier
    probabilities: np.ndarray
    known: np.ndarray
    left_out: np.ndarray
    report: Report


def train(
    source: str,
    target: str,
    *,
    kind: str = "auto",
    seed: int = 0,
    user: Any = None,
    progress: Callable[[str], None] = lambda message: None,
    force: bool = False,
) -> ClassifierRelease:
    """Train a classifier on the shop's own labels and let it live if the gate says so.

    The same labels, photos, kind and seed give the same classifier, and if it is live already nothing changes.

    Args:
        source, target: which catalogue, and what to recognise.
        kind: ``auto`` (the best of those without torch), or one of ``classifier.KINDS``.
        seed: of folds and training.
        user: who asked for it.
        progress: told what is being done.
        force: go live even if the gate says no; the reason is kept.

    Raises:
        InvalidRequest: no such target, an unknown kind, or too few labels.
        TemporaryFailure: nothing is indexed yet.
    """
    steps = training(source, target, kind=kind, seed=seed, user=user, force=force)
    while True:
        try:
            progress(next(steps))
        except StopIteration as end:
            row: ClassifierRelease = end.value
            return row


def training(
    source: str, target: str, *, kind: str = "auto", seed: int = 0, user: Any = None, force: bool = False
) -> Generator[str, None, ClassifierRelease]:
    """``train`` in steps: yields what it does next, returns the release."""
    if kind not in ("auto", *KINDS):
        raise InvalidRequest(f"no classifier of kind {kind!r}; it takes auto, {', '.join(KINDS)}")
    yield f"reading the labels of {target} of {source}"
    dataset = read_dataset(source, target, encoders.live().row.backbone_digest)
    kept = snapshot(dataset, seed=seed)
    learned = _learned_from(dataset)
    trials: list[Trial] = []
    for one in KINDS if kind == "auto" else (kind,):
        yield f"training {one} on {len(dataset.photos)} photos of {len(dataset.items)} products"
        trials.append(_try(dataset, learned, one, seed))
    best = min(trials, key=lambda trial: log_loss(trial.probabilities, dataset.targets))
    yield "measuring"
    metrics = _metrics(dataset, trials, best)
    row = _release(dataset, kept, best, metrics, seed=seed, user=user)
    report = quality(dataset, best.probabilities)
    DatasetSnapshot.objects.filter(pk=kept.pk).update(report=report)
    yield "comparing it with the live one"
    return _decide(row, dataset, user, force=force)


def _learned_from(dataset: Dataset) -> LabelledSet:
    where = dataset.item_of
    words = [dataset.items[item].words for item in where]
    return LabelledSet(
        Examples(dataset.descriptors(), words),
        tuple(one.id for one in dataset.labels),
        dataset.targets[where],
        dataset.groups[where],
    )


def _try(dataset: Dataset, learned: LabelledSet, kind: str, seed: int) -> Trial:
    with telemetry.timed(f"train_{kind}"):
        classifier, report = fit_head(learned, kind=kind, folds=dataset.fold_count, seed=seed)
    count, where = len(dataset.items), dataset.item_of
    return Trial(
        classifier,
        by_item(report.probabilities, where, count),
        by_item(report.known, where, count),
        report.left_out,
        report,
    )


def log_loss(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """``-mean log p(label)``, of products; what models are chosen by."""
    own = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(own, 1e-9)).mean())


def _metrics(dataset: Dataset, trials: list[Trial], best: Trial) -> dict[str, Any]:
    targets, groups = dataset.targets, dataset.groups
    fold_of = np.zeros(len(targets), int)
    fold_of[dataset.item_of] = dataset.folds()
    right = best.probabilities.argmax(axis=1) == targets
    return {
        **measure(best.probabilities, targets, groups, best.known, best.left_out),
        "folds": [round(float(right[fold_of == fold].mean()), 4) for fold in np.unique(fold_of)],
        "models": {
            trial.report.kind: {
                **brief(trial.probabilities, targets),
                "open_set_auroc": _finite(auroc(list(trial.known), list(trial.left_out))),
                "seconds": trial.report.seconds,
                "chosen": dict(trial.report.chosen),
            }
            for trial in trials
        },
        "seconds": round(sum(trial.report.seconds for trial in trials), 2),
    }


def _finite(value: float) -> float | None:
    return round(value, 4) if np.isfinite(value) else None


def _release(
    dataset: Dataset, kept: DatasetSnapshot, best: Trial, metrics: dict[str, Any], *, seed: int, user: Any
) -> ClassifierRelease:
    """Its row and its file; the live one if it is the same to the byte."""
    artefact, digest = store(best.classifier.to_bytes())
    now = live(dataset.source, dataset.target)
    if now is not None and now.digest == digest and now.snapshot_id == kept.pk:
        return ClassifierRelease.objects.get(pk=now.pk)
    needs = best.classifier.needs
    return ClassifierRelease.objects.create(
        source=dataset.source,
        target=dataset.target,
        kind=best.classifier.kind,
        state=State.CANDIDATE,
        snapshot=kept,
        artefact=artefact,
        digest=digest,
        backbone_digest=dataset.backbone_digest if "descriptors" in needs else "",
        labels=[{"id": one.id, "name": one.name} for one in dataset.labels],
        seed=seed,
        versions={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        metrics=metrics,
        held_out=pack_answers(
            [one.key for one in dataset.items], [one.id for one in dataset.labels], best.probabilities
        ),
        created_by=user if getattr(user, "is_authenticated", False) else None,
    )


def _decide(row: ClassifierRelease, dataset: Dataset, user: Any, *, force: bool) -> ClassifierRelease:
    """Ask the gate; promote, or refuse with the reason."""
    if row.state == State.LIVE:
        return row
    verdict = gate(row, dataset)
    rows = ClassifierRelease.objects.filter(pk=row.pk)
    reason = verdict.reason if verdict.promote or not force else f"forced live although {verdict.reason}"
    with transaction.atomic():
        rows.update(reason=reason, metrics={**row.metrics, "compared": verdict.compared})
        if not (verdict.promote or force):
            rows.update(state=State.REFUSED)
    row.refresh_from_db()
    telemetry.event("classifier_trained", release=f"{row.source} {row}", reason=reason)
    return promote(row, user) if verdict.promote or force else row
