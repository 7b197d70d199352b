"""How well photos are classified: the measures of ``shopvision_evaluate classification``."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL.Image import Image

from .. import conf
from ..evaluation.calibration import brier, calibration_error
from ..evaluation.classification import (
    accuracy,
    fit_power_law,
    interval,
    macro_f1,
    threshold_for_error,
    top_k,
)
from ..evaluation.retrieval import auroc
from ..exceptions import InvalidRequest
from ..images.decode import decode
from ..indexing import releases
from ..indexing.photos import limits
from ..vision.backbones import graph_for
from ..vision.base import Descriptors, Encoder
from ..vision.classifier import Classifier, Examples
from ..vision.descriptor import pack, unpack
from ..vision.fit import Report, fit_head
from ..vision.labelled import LabelledSet, stratified_folds
from ..vision.quantise import CALIBRATION_PHOTOS, MIN_CALIBRATION_PHOTOS, quantise
from ..vision.voices import label_groups
from . import labelled_folder
from .labelled_folder import Folder

KINDS = ("prototypes", "linear")
NETWORKS = ("finetuned", "cnn")  # of vision.train, where torch is installed
ACCEPTED_ERROR = 0.05
SHARES = (0.25, 0.5, 1.0)  # of the training examples, for the learning curve
MORE_LABELS = 100
BATCH = 32  # photos decoded at a time
Say = Callable[[str], None]


@dataclass(frozen=True)
class Judged:
    """One model: trained on the training photos, not yet judged.

    Args:
        head: the classifier.
        report: what cross-validation said.
        loss: log-loss out of fold, by which the one to release is chosen.
    """

    head: Classifier
    report: Report
    loss: float


def evaluate(
    folder: Path, *, folds: int, shots: int, target: str, finetune: bool, seed: int, say: Say
) -> dict[str, Any]:
    """Train on the training photos, choose by cross-validation there, judge once on the others.

    Args:
        folder: with labels.csv; or a catalogue folder, of which ``shots`` photos a label are taken.
        folds: of the cross-validation.
        shots: photos a label of a catalogue folder.
        target: ``sku`` or ``category``: the label of a catalogue folder's products.
        finetune: also fine-tune the backbone and train the small network (needs torch).
        seed: of the folds.

    Raises:
        InvalidRequest: the folder is neither, or the networks are asked for and torch is missing.
    """
    data = labelled_folder.read(folder, shots=shots, target=target)
    if finetune and find_spec("torch") is None:
        raise InvalidRequest("--finetune needs torch: pip install shopvision[torch]")
    say(f"describing {len(data.train) + len(data.validation)} photos")
    encoder = make_encoder(data)
    started = time.perf_counter()
    train = labelled_set(data, describe(encoder, data.train), finetune)
    test = Examples(describe(encoder, data.validation), images=_pictures(data.validation, finetune))
    described = time.perf_counter() - started
    models: dict[str, Judged] = {}
    for kind in (*KINDS, *(NETWORKS if finetune else ())):
        say(f"training: {kind}")
        models[kind] = _trained(train, kind, folds, seed, encoder)
    best = min(models, key=lambda one: models[one].loss)
    released = models[best]
    say("leaving labels out")
    answer: dict[str, Any] = {
        **_measures(released, test, data.validation_targets, groups=data.validation_groups),
        "open_set_auroc": _open_set(train, test, data.validation_targets, released.head.kind, folds, seed),
        "train_seconds": round(sum(one.report.seconds for one in models.values()), 1),
        "describe_seconds": round(described, 1),
        "labels": len(data.labels),
        "train_photos": len(train),
        "validation_photos": len(test),
        "precision": encoder.spec.precision,
        "released": best,
        "chosen": dict(released.report.chosen),
        "cross_validated": _cross_validated(released.report, train),
    }
    answer["models"] = {
        kind: {
            **_measures(one, test, data.validation_targets),
            "seconds": one.report.seconds,
            "log_loss_cv": round(one.loss, 4),
        }
        for kind, one in models.items()
    }
    say("learning curve")
    answer["learning_curve"] = _learning_curve(train, best, folds, seed)
    return answer


def make_encoder(data: Folder) -> Encoder:
    """The encoder a shop of these photos would have: int8, calibrated on the training photos."""
    few = data.train[:: max(1, len(data.train) // CALIBRATION_PHOTOS)][:CALIBRATION_PHOTOS]
    if conf.PRECISION == "fp32" or ":" not in conf.ENCODER or len(few) < MIN_CALIBRATION_PHOTOS:
        return releases.make_encoder(conf.ENCODER)
    graph = quantise(graph_for(conf.ENCODER), _read(few))
    return releases.make_encoder(conf.ENCODER, graph)


def describe(encoder: Encoder, paths: Sequence[Path]) -> Descriptors:
    """Blocks of photos as the database would keep them: packed and unpacked."""
    packed: list[bytes] = []
    for start in range(0, len(paths), BATCH):
        images = _read(paths[start : start + BATCH])
        described = encoder.describe(images)
        packed += [pack(described, row) for row in range(len(images))]
    return unpack(packed)


def _read(paths: Sequence[Path]) -> list[Image]:
    bounds = limits()
    return [decode(path.read_bytes(), bounds) for path in paths]


def _pictures(paths: Sequence[Path], wanted: bool) -> list[Image] | None:
    return _read(paths) if wanted else None


def labelled_set(data: Folder, descriptors: Descriptors, pictures: bool) -> LabelledSet:
    """The training photos."""
    examples = Examples(descriptors, images=_pictures(data.train, pictures))
    return LabelledSet(examples, data.labels, data.train_targets, data.train_groups)


def _trained(train: LabelledSet, kind: str, folds: int, seed: int, encoder: Encoder) -> Judged:
    """One model; networks come from ``vision.train`` by its name, so that torch is loaded only here."""
    if kind in NETWORKS:
        fit_network: Callable[..., tuple[Classifier, Report]] = import_module(
            "shopvision.vision.train"
        ).fit_network
        head, report = fit_network(train, kind=kind, backbone=encoder.spec.name, seed=seed)
    else:
        head, report = fit_head(train, kind=kind, folds=folds, seed=seed)
    return Judged(head, report, report.compared[kind])


def _measures(
    model: Judged, test: Examples, targets: np.ndarray, groups: np.ndarray | None = None
) -> dict[str, Any]:
    """On the validation photos; the threshold is the one that cross-validation chose."""
    probabilities = model.head.probabilities(test)
    predicted = probabilities.argmax(axis=1)
    count = len(model.head.labels)
    found: dict[str, Any] = {
        "accuracy": round(accuracy(predicted, targets), 4),
        "macro_f1": round(macro_f1(predicted, targets, count), 4),
        "calibration_error": round(calibration_error(probabilities, targets), 4),
        "brier": round(brier(probabilities, targets), 4),
        "top_5": round(top_k(probabilities, targets, 5), 4),
    }
    chosen = threshold_for_error(model.report.probabilities, model.report.targets, ACCEPTED_ERROR)
    sure = probabilities.max(axis=1) >= chosen.threshold
    wrong = (predicted != targets)[sure]
    found["coverage_at_5_percent_error"] = round(float(sure.mean()), 4)
    found["error_at_threshold"] = round(float(wrong.mean()) if len(wrong) else 0.0, 4)
    found["threshold"] = round(chosen.threshold, 4)
    if groups is not None:
        found["accuracy_interval"] = _interval(predicted == targets, groups)
    return found


def _interval(right: np.ndarray, groups: np.ndarray) -> list[float]:
    low, high = interval(lambda rows: float(right[rows].mean()), groups)
    return [round(low, 4), round(high, 4)]


def _cross_validated(report: Report, train: LabelledSet) -> dict[str, Any]:
    """The training photos out of fold."""
    predicted = report.probabilities.argmax(axis=1)
    return {
        "accuracy": round(accuracy(predicted, train.targets), 4),
        "accuracy_interval": _interval(predicted == train.targets, train.groups),
        "macro_f1": round(macro_f1(predicted, train.targets, len(train.labels)), 4),
        "calibration_error": round(calibration_error(report.probabilities, train.targets), 4),
        "open_set_auroc": round(auroc(report.known.tolist(), report.unknown.tolist()), 4),
    }


def _open_set(
    train: LabelledSet, test: Examples, targets: np.ndarray, kind: str, folds: int, seed: int
) -> float | None:
    """Labels left out of the training in turn: are their validation photos told from the others'.

    Mean over the groups of labels left out of the AUROC of ``known``; None with two labels.
    """
    groups = label_groups(len(train.labels))
    if not len(groups) or kind in NETWORKS:
        return None
    found = []
    for group in range(int(groups.max()) + 1):
        kept = np.flatnonzero(groups != group)
        head, _ = fit_head(train.with_labels(kept), kind=kind, folds=folds, seed=seed)
        known = head.known(test)
        inside = np.isin(targets, kept)
        found.append(auroc(known[inside].tolist(), known[~inside].tolist()))
    return round(float(np.nanmean(found)), 4)


def _learning_curve(train: LabelledSet, kind: str, folds: int, seed: int) -> dict[str, Any]:
    """Accuracy out of fold at shares of the training photos, and what more labels would buy.

    Never looks at the validation photos: the curve is what a shop would see before labelling more.
    """
    kind = kind if kind in KINDS else "linear"
    share_of = stratified_folds(train.targets, train.groups, round(1 / SHARES[0]), seed=seed)
    points = []
    for share in SHARES:
        part = train.take(np.flatnonzero(share_of < share / SHARES[0]))
        try:
            _, report = fit_head(part, kind=kind, folds=folds, seed=seed)
        except ValueError:
            continue
        rate = float((report.probabilities.argmax(axis=1) == part.targets).mean())
        points.append({"labels": len(part), "accuracy": round(rate, 4)})
    law = fit_power_law([p["labels"] for p in points], [1 - p["accuracy"] for p in points])
    gain = law.error(len(train)) - law.error(len(train) + MORE_LABELS)
    return {"points": points, f"next_{MORE_LABELS}": round(gain, 4)}
