"""Train and evaluate several kinds of classifiers on one dataset; learning curve."""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from .. import conf, metrics
from ..classifiers import baselines
from ..classifiers.base import Classifier, Examples
from ..classifiers.head_selection import fit_head
from ..classifiers.labelled_set import Glances, LabelledSet, parts
from ..evaluation.bootstrap import mean_interval
from ..evaluation.classification_metrics import accuracy, fit_power_law
from ..exceptions import InvalidRequest
from ..indexing import encoder_releases as encoders
from ..messages import Message, error_message
from .augmented_photos import reader
from .classifier_evaluation import by_item
from .dataset import FOLDS, Dataset

HEADS = ("prototypes", "linear", "fused")
NETWORKS = "shopvision.classifiers.fine_tuning"  # by name: only a job that trains a network loads torch
SHARES = (0.25, 0.5)  # of the products, for the learning curve; all of them are the trial itself
MORE_LABELS = 100
TELL_SECONDS = 2.0  # how often a long training says how far it is


@dataclass(frozen=True)
class Trial:
    """One kind of classifier, trained, with what it said of products it had not seen.

    Args:
        kind: of the classifier.
        classifier: trained on everything.
        rows: numbers of the items it was judged on: all of them out of fold, or those held out.
        probabilities: of their labels, (N, C).
        known: "it carries any of the labels", of photos of labels it knew.
        unknown: the same, of photos whose label it had never heard of.
        modalities: share of right answers of the photo, of the text, of both.
        chosen: settings that cross-validation preferred, or the figures of a network's training.
        seconds: it took.
    """

    kind: str
    classifier: Classifier
    rows: np.ndarray
    probabilities: np.ndarray
    known: np.ndarray
    unknown: np.ndarray
    modalities: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def loss(self, targets: np.ndarray) -> float:
        """``-mean log p(label)`` of the products judged; what kinds are chosen by."""
        own = self.probabilities[np.arange(len(self.rows)), targets[self.rows]]
        return float(-np.log(np.maximum(own, 1e-9)).mean())


def learned_from(dataset: Dataset, glances: Glances | None = None) -> LabelledSet:
    """Every photo of the dataset with its product's words; words are left out where nobody has any.

    Args:
        dataset: the labelled products.
        glances: other glances at its photos.
    """
    where = dataset.item_of
    words = [dataset.items[item].words for item in where]
    return LabelledSet(
        Examples(dataset.descriptors(), words if any(words) else None),
        tuple(one.id for one in dataset.labels),
        dataset.targets[where],
        dataset.groups[where],
        glances,
    )


def head_trial(dataset: Dataset, learned: LabelledSet, kind: str, seed: int) -> Trial:
    """Train a head on stored descriptors, and words; cross-validated by group."""
    with metrics.timed(f"train_{kind}"):
        classifier, report = fit_head(learned, kind=kind, folds=FOLDS, seed=seed)
    count = len(dataset.items)
    return Trial(
        kind,
        classifier,
        np.arange(count),
        by_item(report.probabilities, dataset.item_of, count),
        report.known,
        report.unknown,
        report.modalities,
        dict(report.chosen),
        report.seconds,
    )


def network_trials(
    dataset: Dataset, seed: int, name: str, *, finetune: bool = True
) -> Generator[Message, None, list[Trial]]:
    """Fine-tune the backbone, and train the small network from scratch beside it; judged on products held out.

    A training that is killed goes on where it was: its checkpoints lie under ``DATA_DIR``, by the name of the
    data.

    Args:
        dataset: with photos that can be read.
        seed: of everything random.
        name: of the data and the seed.
        finetune: False trains the small network alone, on ``baseline.MOST_PHOTOS`` photos at most.

    Raises:
        InvalidRequest: torch is not installed (``no_torch``).
    """
    if why := baselines.why_not():
        raise InvalidRequest("networks_cannot_be_trained", code="no_torch", why=why)
    networks = import_module(NETWORKS)
    photo_items = dataset.item_of
    rows = np.arange(len(photo_items))
    if not finetune:
        rows = baselines.rows_for(dataset.targets[photo_items], dataset.groups[photo_items], seed=seed)
    chosen, read_photo = [dataset.items[item] for item in photo_items[rows]], reader(dataset)
    photos = networks.LabelledPhotos(
        lambda row: read_photo(int(rows[row])),
        [dataset.labels[one.label].id for one in chosen],
        [str(one.group) for one in chosen],
    )
    encoder = conf.backend(conf.ENCODER).path
    backbone = {"backbone": encoder} if encoder.startswith(("weights:", "timm:")) else {}
    recipe = networks.Recipe(seed=seed, device=conf.DEVICE, finetune=finetune, **backbone)
    folder = Path(conf.DATA_DIR) / "training" / (name if finetune else f"{name}-{baselines.KIND}")
    run = networks.Training(photos, recipe, folder)
    told = 0.0
    for step in run.steps():
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            yield Message(
                "training_epoch",
                {
                    "phase": step.phase,
                    "epoch": step.epoch,
                    "epochs": step.epochs,
                    "share": f"{step.share:.0%}",
                },
            )
    trained = run.result()
    shutil.rmtree(folder, ignore_errors=True)
    held = photo_items[rows[run.held_rows]]
    return [
        _network_trial(kind, classifier, run, held, trained.report[kind])
        for kind, classifier in sorted(trained.networks.items())
    ]


def baseline_trial(
    dataset: Dataset, seed: int, name: str
) -> Generator[Message, None, tuple[list[Trial], Message | None]]:
    """The small network from scratch that heads are compared with, or why there is none; never raises.

    Trained where torch may be loaded (``shopvision_train``, workers of the gpu queue).

    Args:
        dataset, seed, name: as for ``network_trials``.
    """
    why = baselines.why_not() or (None if encoders.torch_allowed() else Message("torch_not_loaded_here"))
    if why is not None:
        return [], why
    try:
        return (yield from network_trials(dataset, seed, name, finetune=False)), None
    except Exception as error:  # noqa: BLE001 - a comparison must not cost the shop its classifier
        metrics.log.exception("the small network from scratch could not be trained")
        return [], error_message(error)


def _network_trial(
    kind: str, classifier: Classifier, run: Any, items: np.ndarray, report: Mapping[str, Any]
) -> Trial:
    """What the network that had not seen the held-out photos, of these items, said of them, product by product."""
    rows, place = np.unique(items, return_inverse=True)
    known, unknown = run.doubts[kind]
    told = {key: value for key, value in report.items() if key != "history"}
    return Trial(
        kind,
        classifier,
        rows,
        by_item(run.held[kind], place, len(rows)),
        known,
        unknown,
        chosen=told,
        seconds=float(report.get("seconds", 0.0)),
    )


def learning_curve(dataset: Dataset, learned: LabelledSet, best: Trial, seed: int) -> dict[str, Any]:
    """Accuracy with fewer labelled products, and what more would buy.

    Heads are trained on several parts of each share of the products, each cross-validated, and their answers
    taken together; the error is fitted by a power law. Where a network is best, the curve is the linear head's.

    Returns:
        ``learning_curve``: labels (products), accuracy, low, high; ``next_100``: accuracy that so many more
        labelled products should add.
    """
    whole = best if best.kind in HEADS else head_trial(dataset, learned, "linear", seed)
    points = []
    for share in SHARES:
        judged, said = [], []
        for rows in parts(learned.targets, learned.groups, share, seed=seed):
            try:
                _, report = fit_head(learned.take(rows), kind=whole.kind, folds=FOLDS, seed=seed)
            except ValueError:  # too few of some label in so small a part
                continue
            numbers, place = np.unique(dataset.item_of[rows], return_inverse=True)
            judged.append(numbers)
            said.append(by_item(report.probabilities, place, len(numbers)).argmax(axis=1))
        if judged:
            point = _point(dataset, np.concatenate(judged), np.concatenate(said))
            points.append({**point, "labels": round(point["labels"] / len(judged))})
    points.append(_point(dataset, whole.rows, whole.probabilities.argmax(axis=1)))
    law = fit_power_law([one["labels"] for one in points], [1 - one["accuracy"] for one in points])
    have = points[-1]["labels"]
    gain = law.error(have) - law.error(have + MORE_LABELS)
    return {"learning_curve": points, f"next_{MORE_LABELS}": round(gain, 4)}


def _point(dataset: Dataset, rows: np.ndarray, said: np.ndarray) -> dict[str, Any]:
    targets, groups = dataset.targets[rows], dataset.groups[rows]
    low, high = mean_interval(said == targets, groups)
    return {
        "labels": len(rows),
        "accuracy": round(accuracy(said, targets), 4),
        "low": round(low, 4),
        "high": round(high, 4),
    }
