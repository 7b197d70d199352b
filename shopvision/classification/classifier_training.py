"""Train a classifier on the shop's labels, evaluate it and pass it through the gate."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from django.db import transaction

from .. import metrics
from ..classifiers import baselines
from ..evaluation.retrieval_metrics import auroc
from ..exceptions import InvalidRequest
from ..indexing import encoder_releases as encoders
from ..messages import Message
from ..releases import storage
from .augmented_photos import glances_of
from .classifier_evaluation import brief, measure, pack_answers
from .classifier_releases import live, promote, store
from .dataset import Dataset, quality, read_dataset, snapshot
from .gate import gate
from .model_comparison import (
    HEADS,
    Trial,
    baseline_trial,
    head_trial,
    learned_from,
    learning_curve,
    network_trials,
)
from .models import ClassifierRelease, DatasetSnapshot

PACKAGES = ("shopvision", "numpy", "onnxruntime", "torch", "torchvision", "timm")
KINDS = (*HEADS, "finetuned")
State = ClassifierRelease.State


def train(
    source: str,
    target: str,
    *,
    kind: str = "auto",
    seed: int = 0,
    user: Any = None,
    progress: Callable[[Message], None] = lambda message: None,
    force: bool = False,
) -> ClassifierRelease:
    """Train a classifier on the shop's own labels and let it live if the gate says so.

    The same labels, photos, kind and seed give the same classifier, and if it is live already nothing changes.

    Args:
        source, target: which catalogue, and what to recognise.
        kind: ``auto`` (the best head, without torch), one of ``HEADS``, or ``finetuned``.
        seed: of folds and training.
        user: who asked for it.
        progress: told what is being done.
        force: go live even if the gate says no; the reason is kept.

    Raises:
        InvalidRequest: no such target, an unknown kind, too few labels, or torch is missing.
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
) -> Generator[Message, None, ClassifierRelease]:
    """``train`` in steps: yields what it does next, returns the release."""
    if kind not in ("auto", *KINDS):
        raise InvalidRequest("unknown_classifier_kind", kind=kind, names=", ".join(KINDS))
    yield Message("reading_labels", {"target": target, "source": source})
    dataset = read_dataset(source, target, encoders.live().row.backbone_digest)
    kept = snapshot(dataset, seed=seed)
    learned = learned_from(dataset, (yield from glances_of(dataset)))
    trials: list[Trial] = []
    for one in _heads(kind, learned.examples.texts is not None):
        yield Message(
            "training_classifier", {"name": one, "count": len(dataset.photos), "count2": len(dataset.items)}
        )
        trials.append(head_trial(dataset, learned, one, seed))
    allowed = list(trials)
    left_out: Message | None = None
    name = f"{kept.digest[:16]}-{seed}"
    if kind == "finetuned":
        trials += yield from network_trials(dataset, seed, name)
        allowed = [trial for trial in trials if trial.kind == kind]
    else:
        compared, left_out = yield from baseline_trial(dataset, seed, name)
        trials += compared
    best = min(allowed, key=lambda trial: trial.loss(dataset.targets))
    yield Message("measuring")
    metrics = {**_metrics(dataset, trials, best, seed), **learning_curve(dataset, learned, best, seed)}
    metrics["left_out"] = {baselines.KIND: left_out} if left_out else {}
    row = _release(dataset, kept, best, metrics, seed=seed, user=user)
    if len(best.rows) == len(dataset.items):
        DatasetSnapshot.objects.filter(pk=kept.pk).update(report=quality(dataset, best.probabilities))
    yield Message("comparing_with_live_classifier")
    return _decide(row, dataset, user, force=force)


def _heads(kind: str, texts: bool) -> tuple[str, ...]:
    """Heads to train: all that the data allow, one, or, beside a network, the one to compare it with.

    Raises:
        InvalidRequest: a head that reads words is asked for, and no product has any.
    """
    if kind == "auto":
        return HEADS if texts else tuple(one for one in HEADS if one != "fused")
    if kind == "fused" and not texts:
        raise InvalidRequest("no_text_for_fused_classifier")
    return (kind,) if kind in HEADS else ("linear",)


def _metrics(dataset: Dataset, trials: list[Trial], best: Trial, seed: int) -> dict[str, Any]:
    """Everything the admin and the API show of a release."""
    targets, groups = dataset.targets[best.rows], dataset.groups[best.rows]
    fold_of = np.zeros(len(dataset.items), int)
    fold_of[dataset.item_of] = dataset.folds(seed=seed)
    right = best.probabilities.argmax(axis=1) == targets
    folds = fold_of[best.rows]
    modalities = next((one.modalities for one in trials if len(one.modalities) > 1), best.modalities)
    return {
        **measure(best.probabilities, targets, groups, best.known, best.unknown),
        "folds": [round(float(right[folds == fold].mean()), 4) for fold in np.unique(folds)],
        "models": {trial.kind: _model(dataset, trial) for trial in trials},
        "modalities": {name: {"accuracy": share} for name, share in modalities.items()},
        "seconds": round(sum(trial.seconds for trial in trials), 2),
    }


def _model(dataset: Dataset, trial: Trial) -> dict[str, Any]:
    doubt = auroc(list(trial.known), list(trial.unknown))
    return {
        **brief(trial.probabilities, dataset.targets[trial.rows]),
        "open_set_auroc": round(doubt, 4) if np.isfinite(doubt) else None,
        "products": len(trial.rows),
        "seconds": round(trial.seconds, 2),
        "chosen": dict(trial.chosen),
    }


def _release(
    dataset: Dataset, kept: DatasetSnapshot, best: Trial, metrics: dict[str, Any], *, seed: int, user: Any
) -> ClassifierRelease:
    """Its row and its file; the live one if it is the same to the byte."""
    artefact, digest = store(best.classifier.to_bytes())
    backbone = dataset.backbone_digest if "descriptors" in best.classifier.needs else ""
    now = live(dataset.source, dataset.target)
    if now is not None and (now.digest, now.snapshot_id, now.backbone_digest) == (digest, kept.pk, backbone):
        return ClassifierRelease.objects.get(pk=now.pk)
    keys = [dataset.items[row].key for row in best.rows]
    return ClassifierRelease.objects.create(
        source=dataset.source,
        target=dataset.target,
        kind=best.classifier.kind,
        state=State.CANDIDATE,
        snapshot=kept,
        artefact=artefact,
        digest=digest,
        backbone_digest=backbone,
        labels=[{"id": one.id, "name": one.name} for one in dataset.labels],
        seed=seed,
        versions=storage.versions(PACKAGES),
        metrics=metrics,
        held_out=pack_answers(keys, [one.id for one in dataset.labels], best.probabilities),
        created_by=user if getattr(user, "is_authenticated", False) else None,
    )


def _decide(row: ClassifierRelease, dataset: Dataset, user: Any, *, force: bool) -> ClassifierRelease:
    """Ask the gate; promote, or refuse with the reason."""
    if row.state == State.LIVE:
        return row
    verdict = gate(row, dataset)
    rows = ClassifierRelease.objects.filter(pk=row.pk)
    reason = (
        verdict.reason if verdict.promote or not force else Message("forced_live", {"why": verdict.reason})
    )
    with transaction.atomic():
        rows.update(reason=reason, metrics={**row.metrics, "compared": verdict.compared})
        if not (verdict.promote or force):
            rows.update(state=State.REFUSED)
    row.refresh_from_db()
    metrics.event("classifier_trained", release=f"{row.source} {row}", reason=str(reason))
    return promote(row, user) if verdict.promote or force else row
