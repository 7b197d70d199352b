"""Models of a labelled folder, each trained on its training photos alone and judged on those it had not seen."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bench.labelled_folder import Folder
from shopvision import conf
from shopvision.classifiers import baselines
from shopvision.classifiers.base import Classifier
from shopvision.classifiers.head_selection import Report, fit_head
from shopvision.classifiers.labelled_set import LabelledSet
from shopvision.exceptions import InvalidRequest

HEADS = ("prototypes", "linear")
NETWORKS = ("finetuned", "cnn")
TRAINING = "shopvision.classifiers.fine_tuning"  # by its name, so that torch is loaded only where a network is trained


@dataclass(frozen=True)
class Contender:
    """One model.

    Args:
        head: the classifier.
        report: of the photos it had not seen.
        rows: numbers of those training photos: all of them out of fold, or those held out.
    """

    head: Classifier
    report: Report
    rows: np.ndarray

    def loss(self, rows: np.ndarray) -> float:
        """``-mean log p(label)`` of some of ``rows``."""
        some = np.flatnonzero(np.isin(self.rows, rows))
        own = self.report.probabilities[some, self.report.targets[some]]
        return float(-np.log(np.maximum(own, 1e-9)).mean())


def best_of(models: Mapping[str, Contender]) -> str:
    """The kind with the least log-loss on the photos that none of them had seen; never the baseline."""
    able = {kind: one for kind, one in models.items() if kind != baselines.KIND}
    shared: np.ndarray = reduce(np.intersect1d, [one.rows for one in able.values()])
    return min(able, key=lambda kind: able[kind].loss(shared))


def train_head(
    train: LabelledSet, kind: str, *, folds: int, seed: int, say: Callable[[str], None]
) -> Contender:
    """A head on descriptors, cross-validated."""
    say(f"training: {kind}")
    head, report = fit_head(train, kind=kind, folds=folds, seed=seed)
    return Contender(head, report, np.arange(len(train)))


def train_networks(
    data: Folder, *, finetune: bool, seed: int, say: Callable[[str], None]
) -> dict[str, Contender]:
    """The small network from scratch and, if asked for, the fine-tuned backbone, as ``shopvision_train`` makes them.

    Args:
        data: the photos; the small network alone is trained on ``baseline.MOST_PHOTOS`` of them.
        finetune: the backbone too.
        seed: of everything random.
        say: told what is being done.

    Raises:
        InvalidRequest: torch is not installed.
    """
    need_torch()
    networks = import_module(TRAINING)
    everything = np.arange(len(data.train))
    rows = everything if finetune else baselines.rows_for(data.train_targets, data.train_groups, seed=seed)
    photos = networks.LabelledPhotos(
        lambda row: data.train[rows[row]].read_bytes(),
        [data.labels[label] for label in data.train_targets[rows]],
        [str(group) for group in data.train_groups[rows]],
    )
    encoder = conf.backend(conf.ENCODER).path
    backbone = {"backbone": encoder} if encoder.startswith(("weights:", "timm:")) else {}
    recipe = networks.Recipe(seed=seed, device=conf.DEVICE, finetune=finetune, **backbone)
    with tempfile.TemporaryDirectory(prefix="shopvision-training-") as folder:
        run = networks.Training(photos, recipe, Path(folder))
        told = ""
        for step in run.steps():
            words = f"{step.phase}: epoch {step.epoch} of {step.epochs}"
            if words != told:
                say(words)
            told = words
        trained = run.result()
    return {
        kind: Contender(one, _report(kind, run, trained.report[kind]), rows[run.held_rows])
        for kind, one in trained.networks.items()
    }


def need_torch() -> None:
    """Refuse before anything is read.

    Raises:
        InvalidRequest: torch is not installed.
    """
    if why := baselines.why_not():
        raise InvalidRequest(f"networks cannot be trained here: {why}")


def _report(kind: str, run: Any, figures: Mapping[str, Any]) -> Report:
    """What the network that had not seen the held-out photos said of them."""
    told: Sequence[str] = ("best_epoch", "scale", "cpu_seconds")
    known, unknown = run.doubts[kind]
    return Report(
        kind,
        run.held[kind],
        run.targets[run.held_rows],
        known,
        unknown,
        chosen={name: figures[name] for name in told},
        seconds=float(figures["seconds"]),
    )
