"""Fine-tune a network: augmentation, schedule, early stopping, int8 export."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torchvision
from torch import nn

from ..encoders import efficientnet_weights
from ..encoders.onnx_export import Trunk, classifier_to_onnx, frozen_part
from ..encoders.projection import unit
from ..encoders.quantise import CALIBRATION_PHOTOS, quantise_graph
from ..evaluation.calibration import calibration_error
from ..evaluation.classification_metrics import accuracy, macro_f1
from ..exceptions import InvalidRequest, ShopvisionError
from ..images.decode import decode
from ..images.preprocess import PreprocessSpec
from .augmentation import MILD, Augmentation, Views
from .base import softmax
from .batches import Batches, Source
from .fine_tuned import Calibration, FineTuned
from .labelled_set import stratified_folds
from .networks import ClassifierNetwork, PooledHead, parameter_groups, small_cnn, transfer_network
from .open_set import OpenSet, features, fit_open_set
from .temperature_scaling import fit_scale, log_loss
from .trainer import Fit, Fitted, Progress, Schedule, Task

LEAST_PRODUCTS = 2  # of each label
Rows = tuple[np.ndarray, np.ndarray]


class TrainingStopped(ShopvisionError):
    """``stop`` asked for it; the same call continues from the last finished epoch."""


@dataclass(frozen=True, slots=True)
class LabelledPhotos:
    """What is learned from.

    Args:
        read: row -> the photo file's bytes; called often, so that photos need not lie in memory.
        labels: of each photo.
        products: of each photo; photos of one product are never on both sides of a split.
    """

    read: Callable[[int], bytes]
    labels: Sequence[str]
    products: Sequence[str]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Args:
        backbone: as ``backbones.network_for`` takes it.
        freeze: leave the layers before the last map's as they are; half of the work, and their outputs are kept.
        enlarge: of the photos beyond the size that the backbone was pretrained with: objects look larger to a
            network in training than in judging (Touvron et al., "FixRes", NeurIPS 2019).
        rate: of the last layers of the backbone.
        head_rate: of the new head.
        layer_decay: factor of the rate from a layer to the one before it.
        weight_decay: of kernels and matrices.
        dropout: before the head.
        views: different augmented views of each photo, at most one an epoch.
        schedule: of the fine-tuning.
        baseline: of the small CNN; None trains none.
        finetune: the backbone; False trains the small CNN alone.
        augmentation: of the fine-tuning; the small CNN's is ``augment.MILD``.
        held_share: of each label's products that are only judged on.
        refit: train once more on all photos, for as long as was best; calibration and figures stay those of
            the network that had not seen the held-out photos.
        precision: of the served network: ``fp32``, or ``int8`` (statically quantised, a third of the time).
        seed: the same seed, photos and machine give the same network.
        device: ``auto``, ``cpu``, ``cuda``.
        threads: of torch on the CPU; None as torch has them.
        workers: processes that decode ahead, on CUDA.
        pretrained: False draws random weights (tests).
    """

    backbone: str = efficientnet_weights.SPEC.name
    freeze: bool = True
    enlarge: float = 9 / 7
    rate: float = 1e-3
    head_rate: float = 5e-3
    layer_decay: float = 0.8
    weight_decay: float = 0.02
    dropout: float = 0.3
    views: int = 8
    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=24, patience=8))
    baseline: Schedule | None = field(
        default_factory=lambda: Schedule(epochs=8, batch=16, mixup=0.0, ema=0.9)
    )
    finetune: bool = True
    augmentation: Augmentation = field(default_factory=Augmentation)
    held_share: float = 0.15
    refit: bool = True
    precision: str = "fp32"
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    workers: int = 4
    pretrained: bool = True


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training gives.

    Args:
        networks: by kind: ``finetuned``, and ``cnn``, the small one trained from scratch on the same photos, as far
            as they were asked for.
        report: figures of each on the held-out photos, for JSON.
    """

    networks: dict[str, FineTuned]
    report: dict[str, Any]

    @property
    def classifier(self) -> FineTuned:
        """The fine-tuned network."""
        return self.networks["finetuned"]


def train(
    photos: LabelledPhotos,
    recipe: Recipe,
    folder: Path,
    *,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Trained:
    """Train a classifier of photos, and the baseline beside it.

    Args:
        photos: two products or more of each label, two labels or more; files that ``images.decode`` reads.
        recipe: how.
        folder: of this training alone; a call with the same photos and recipe continues what an earlier
            process left there.
        progress: told after each step.
        stop: asked after each step.

    Raises:
        TrainingStopped: ``stop`` said so.
        InvalidRequest: too few photos.
        IncompatibleCheckpoint: the folder is another training's.
        ImageRejected: a file is no photo; the message has its row.
    """
    training = Training(photos, recipe, folder)
    for step in training.steps():
        if progress is not None:
            progress(step)
        if stop is not None and stop():
            raise TrainingStopped("the training was stopped; the same call continues it")
    return training.result()


class Training:
    """The same in steps, for callers that have a loop of their own: exhaust ``steps``, then take ``result``."""

    def __init__(self, photos: LabelledPhotos, recipe: Recipe, folder: Path) -> None:
        self.photos, self.recipe, self.folder = photos, recipe, folder
        self.labels = tuple(sorted(set(photos.labels)))
        number = {label: index for index, label in enumerate(self.labels)}
        self.targets = np.array([number[label] for label in photos.labels], int)
        self.train_rows, self.held_rows = split(self.targets, photos.products, recipe.held_share, recipe.seed)
        self.run = _digest(photos, recipe)
        self.device = _device(recipe.device)
        self._frozen: Trunk | None = None
        self.held: dict[str, np.ndarray] = {}  # by kind: what the network said of the held-out photos
        self.doubts: dict[str, Rows] = {}  # by kind: "known", of them and of photos of labels left out
        self._done: dict[str, FineTuned] = {}
        self._report: dict[str, Any] = {}

    def steps(self) -> Iterator[Progress]:
        """Train the network, the network again on all photos, and the baseline."""
        if self.recipe.threads:
            torch.set_num_threads(self.recipe.threads)
        if self.recipe.finetune:
            yield from self._finetuned()
        if self.recipe.baseline is not None:
            yield from self._baseline(self.recipe.baseline)

    def result(self) -> Trained:
        """After ``steps`` has ended."""
        report = {
            "labels": list(self.labels),
            "photos": len(self.targets),
            "held_out": len(self.held_rows),
            "seed": self.recipe.seed,
            "run": self.run,
            "device": self.device.type,
            "versions": {"torch": str(torch.__version__), "torchvision": str(torchvision.__version__)},
            **self._report,
        }
        return Trained(dict(self._done), report)

    def _baseline(self, schedule: Schedule) -> Iterator[Progress]:
        network, spec = _seeded(self.recipe.seed, lambda: small_cnn(len(self.labels)))
        groups = {"rate": 1e-3, "head_rate": 1e-3, "layer_decay": 1.0, "weight_decay": 1e-4}
        fit = self._fit(network, spec, groups, schedule, "baseline")
        yield from self._timed(fit, "cnn")
        self._finish(fit, fit.network, spec, "cnn", fit.result())

    def _finetuned(self) -> Iterator[Progress]:
        recipe = self.recipe
        groups = {
            "rate": recipe.rate,
            "head_rate": recipe.head_rate,
            "layer_decay": recipe.layer_decay,
            "weight_decay": recipe.weight_decay,
        }
        network, spec = self._fresh()
        fit = self._fit(network, spec, groups, recipe.schedule, "finetune")
        yield from self._timed(fit, "finetuned")
        fitted, final = fit.result(), fit.network
        if recipe.refit:
            network, spec = self._fresh()
            again = self._fit(network, spec, groups, recipe.schedule, "refit", fitted.best_epoch)
            yield from self._timed(again, "finetuned")
            final = again.network
        self._finish(fit, final, spec, "finetuned", fitted)

    def _fresh(self) -> tuple[ClassifierNetwork, PreprocessSpec]:
        recipe = self.recipe
        return _seeded(
            recipe.seed,
            lambda: transfer_network(
                recipe.backbone,
                len(self.labels),
                dropout=recipe.dropout,
                freeze=recipe.freeze,
                enlarge=recipe.enlarge,
                pretrained=recipe.pretrained,
            ),
        )

    def _fit(
        self,
        network: ClassifierNetwork,
        spec: PreprocessSpec,
        groups: dict[str, float],
        schedule: Schedule,
        phase: str,
        epochs: int | None = None,
    ) -> Fit:
        """A fit that judges on the held-out photos, or one on all photos for so many epochs."""
        recipe, rows = self.recipe, len(self.targets)
        network = network.to(self.device, memory_format=torch.channels_last).eval()
        augmentation = MILD if phase == "baseline" else recipe.augmentation
        views = Views(self.photos.read, spec, augmentation, recipe.seed)
        workers = recipe.workers if self.device.type == "cuda" else 0
        kept = self.folder / f"frozen-{self.run[:16]}.f16" if self.device.type == "cpu" else None
        count = min(recipe.views, schedule.epochs) if kept else schedule.epochs
        if isinstance(network.trunk, nn.Identity):  # nothing is kept: every epoch may be another
            count = schedule.epochs
        trunk = self._frozen_part(network, spec.size, rows * count)
        batches = Batches(Source(views, spec, self.device, workers), trunk, kept, rows, count)
        held = self.held_rows if epochs is None else np.empty(0, int)
        train_rows = self.train_rows if epochs is None else np.arange(rows)
        run = hashlib.sha256(f"{self.run}:{phase}:{schedule}:{epochs}".encode()).hexdigest()
        task = Task(self.targets, len(self.labels), train_rows, held, epochs, recipe.seed, run)
        path = self.folder / f"{phase}.safetensors"
        return Fit(network, parameter_groups(network, **groups), batches, task, schedule, path, phase)

    def _frozen_part(self, network: ClassifierNetwork, size: int, photos: int) -> Trunk:
        """Made once: the refit's is the same."""
        if isinstance(network.trunk, nn.Identity):
            return cast(Trunk, network.trunk)
        if self._frozen is None:
            self._frozen = frozen_part(network.trunk, size, photos)
        return self._frozen

    def _timed(self, fit: Fit, kind: str) -> Iterator[Progress]:
        started = time.monotonic(), time.process_time()
        yield from fit.run()
        figures = self._report.setdefault(kind, {"seconds": 0.0, "cpu_seconds": 0.0})
        figures["seconds"] += round(time.monotonic() - started[0], 1)
        figures["cpu_seconds"] += round(time.process_time() - started[1], 1)

    def _finish(
        self, fit: Fit, network: ClassifierNetwork, spec: PreprocessSpec, kind: str, fitted: Fitted
    ) -> None:
        """Calibrate on the held-out photos, export, and note the figures."""
        truth = self.targets[self.held_rows]
        scale = round(fit_scale(fitted.logits, truth, doubt=1 / (len(truth) + 1)), 6)
        centres = self._centres(fit, fit.network)
        open_set, self.doubts[kind] = _open_set(fitted.logits * scale, unit(fitted.pooled) @ centres.T, truth)
        if network is not fit.network:
            centres = self._centres(fit, network)
        head = None
        if isinstance(network.head, PooledHead):
            head = network.head.linear.weight.detach().float().cpu().numpy()
        graph = classifier_to_onnx(network, spec.size, kind)
        about = {"run": self.run, "backbone": self.recipe.backbone if kind == "finetuned" else "from scratch"}
        found = FineTuned(
            kind, self.labels, graph, spec, Calibration(scale, centres, open_set), head=head, recipe=about
        )
        if self.recipe.precision == "int8":
            rows = np.random.default_rng(self.recipe.seed).permutation(self.train_rows)[:CALIBRATION_PHOTOS]
            photos = [decode(self.photos.read(int(row)), max_side=2 * spec.size) for row in rows]
            found = found.quantised(quantise_graph(found.graph, found.preprocess, photos))
        self._done[kind] = found
        chances = softmax(fitted.logits * scale)
        self.held[kind] = chances
        self._report[kind] |= {
            "held_accuracy": accuracy(chances.argmax(1), truth),
            "held_macro_f1": macro_f1(chances.argmax(1), truth, len(self.labels)),
            "held_calibration_error": calibration_error(chances, truth),
            "held_loss": log_loss(fitted.logits * scale, truth),
            "scale": scale,
            "best_epoch": fitted.best_epoch,
            "history": fitted.history,
        }

    def _centres(self, fit: Fit, network: ClassifierNetwork) -> np.ndarray:
        """Unit mean of each label's pooled maps, over the photos learned from."""
        rows = fit.judge(network, self.train_rows)[1]
        targets = self.targets[self.train_rows]
        return unit(np.stack([unit(rows)[targets == label].mean(0) for label in range(len(self.labels))]))


def split(targets: np.ndarray, products: Sequence[str], share: float, seed: int) -> Rows:
    """Rows to learn from and rows to judge on: about ``share`` of each label's products.

    Args:
        targets: number of each photo's label, int (N,).
        products: of each photo.
        share: of the products that are held out; a label has at least one on each side.
        seed: of the choice.

    Raises:
        InvalidRequest: fewer than two labels, or a label with fewer than ``LEAST_PRODUCTS`` products.
    """
    groups = np.unique(np.asarray(products), return_inverse=True)[1]
    if targets.max(initial=0) < 1:
        raise InvalidRequest("one_label_in_photos")
    counts = [len(np.unique(groups[targets == label])) for label in range(targets.max() + 1)]
    if min(counts) < LEAST_PRODUCTS:
        raise InvalidRequest("too_few_products_of_label", counts=min(counts), least_products=LEAST_PRODUCTS)
    folds = stratified_folds(targets, groups, max(2, min(round(1 / share), *counts)), seed=seed)
    return np.flatnonzero(folds != 0), np.flatnonzero(folds == 0)


def _open_set(logits: np.ndarray, nearness: np.ndarray, truth: np.ndarray) -> tuple[OpenSet, Rows]:
    """Learned from held-out photos as they are, and as if their own label were none of the network's.

    Returns:
        it, and what it says of both.
    """
    heard = features(logits, nearness)
    if logits.shape[1] < 3:
        return OpenSet(), (OpenSet().of_features(heard), np.empty(0, np.float32))
    rest = np.arange(logits.shape[1])[None] != truth[:, None]
    shape = (len(truth), logits.shape[1] - 1)
    unheard = features(logits[rest].reshape(shape), nearness[rest].reshape(shape))
    rows = np.concatenate([heard, unheard])
    found = fit_open_set(rows, np.arange(len(rows)) < len(truth))
    return found, (found.of_features(heard), found.of_features(unheard))


def _seeded(
    seed: int, make: Callable[[], tuple[ClassifierNetwork, PreprocessSpec]]
) -> tuple[ClassifierNetwork, PreprocessSpec]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _digest(photos: LabelledPhotos, recipe: Recipe) -> str:
    """sha256 of what decides the network before a refit, the pixels excepted."""
    same = replace(recipe, threads=None, workers=0, baseline=None, finetune=True, refit=False, precision="")
    fixed = asdict(same)
    text = json.dumps([fixed, list(photos.labels), list(photos.products)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _device(name: str) -> torch.device:
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)
