"""Training loop of a torch network with resumable checkpoints."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .. import checkpoints
from ..checkpoints import CorruptCheckpoint, IncompatibleCheckpoint
from .augmentation import MIRRORED, PLAIN, View, epoch_views
from .batches import Batches
from .networks import ClassifierNetwork
from .temperature_scaling import fit_scale, log_loss

KIND = "training"
JUDGE_BATCH = 64
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how hard a network is trained.

    Args:
        epochs: at most.
        patience: epochs without a better held-out loss before it stops.
        batch: photos a step.
        warm_up: epochs until the rates are full; after that they follow half a cosine to zero.
        smoothing: probability taken from the label and spread over all.
        mixup: parameter of the Beta distribution that mixes pairs in half of the steps; 0 mixes none.
        ema: decay of the running mean of the weights, a step; 0 for none.
        balance: exponent of the inverse class frequency that weighs the loss; 0 none, 1 all classes alike.
    """

    epochs: int
    patience: int = 5
    batch: int = 32
    warm_up: float = 1.0
    smoothing: float = 0.1
    mixup: float = 0.2
    ema: float = 0.95
    balance: float = 0.5


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be learned.

    Args:
        targets: number of each photo's label, int (N,).
        labels: how many there are.
        train: rows learned from.
        held: rows judged on after each epoch; none: the schedule is followed for ``stop_after`` epochs.
        stop_after: epochs after which it ends although the schedule goes on; None for all.
        seed: of order, mixing and dropout.
        run: digest of all that decides the result; a checkpoint of another run is refused.
    """

    targets: np.ndarray
    labels: int
    train: np.ndarray
    held: np.ndarray
    stop_after: int | None
    seed: int
    run: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is.

    Args:
        phase: what is being trained.
        epoch, epochs: finished, and at most.
        share: of this phase's steps that are done, 0 to 1.
        metrics: of the last finished epoch.
    """

    phase: str
    epoch: int
    epochs: int
    share: float
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit gives, beside the network, which has its best weights.

    Args:
        history: metrics of each epoch.
        best_epoch: number of the epoch whose weights were kept, from 1.
        logits, pooled: of the held-out rows, see ``Fit.judge``.
    """

    history: list[dict[str, float]]
    best_epoch: int
    logits: np.ndarray
    pooled: np.ndarray


class Fit:
    """One network's training.

    Args:
        network: on its device; it is changed.
        groups: parameter groups of the optimizer, see ``networks.parameter_groups``.
        batches: inputs of its tail.
        task: what is to be learned.
        schedule: how long.
        path: file of its checkpoint, written after each epoch.
        phase: its name in progress and checkpoint.
    """

    def __init__(
        self,
        network: ClassifierNetwork,
        groups: list[dict[str, Any]],
        batches: Batches,
        task: Task,
        schedule: Schedule,
        path: Path,
        phase: str,
    ) -> None:
        self.network, self.batches, self.task, self.schedule = network, batches, task, schedule
        self.path, self.phase = path, phase
        self.device = next(network.parameters()).device
        self._mean = copy.deepcopy(network, {id(network.trunk): network.trunk})
        self._optimizer = torch.optim.AdamW(groups)
        self._rates = [group["lr"] for group in self._optimizer.param_groups]
        self._scaler = torch.amp.GradScaler(enabled=self.device.type == "cuda")
        self._weights = _class_weights(task, schedule.balance).to(self.device)
        self._history: list[dict[str, float]] = []
        self._best: dict[str, torch.Tensor] = {}
        self._best_epoch = 0

    def run(self) -> Iterator[Progress]:
        """Train; one ``Progress`` a step, so that the caller may stop between any two.

        Continues from the checkpoint if there is one of the same run.

        Raises:
            IncompatibleCheckpoint: the file's checkpoint is of another run.
        """
        self._resume()
        steps = max(1, math.ceil(len(self.task.train) / self.schedule.batch))
        while not self._finished():
            epoch, losses = len(self._history), []
            for number, loss in enumerate(self._epoch(epoch, steps)):
                losses.append(loss)
                done = (epoch + (number + 1) / steps) / self._last_epoch()
                yield Progress(self.phase, epoch, self._last_epoch(), done, self._last())
            self._judge(epoch, float(np.mean(losses)))
            self._save()
        self._load_best()
        yield Progress(self.phase, len(self._history), self._last_epoch(), 1.0, self._last())

    def result(self) -> Fitted:
        """After ``run`` has ended."""
        return Fitted(self._history, self._best_epoch, *self.judge(self.network, self.task.held))

    def judge(self, network: ClassifierNetwork, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the network says of photos and their mirror images, as ``FineTuned.views`` does.

        Returns:
            log of the mean probability, float32 (N, L), and the mean pooled last map, (N, C).
        """
        network.eval()
        batches = [
            [(int(row), view) for row in rows[start : start + JUDGE_BATCH] for view in (PLAIN, MIRRORED)]
            for start in range(0, len(rows), JUDGE_BATCH)
        ]
        logits, pooled = [], []
        for inputs in self.batches(batches):
            with torch.inference_mode(), self._precision():
                maps, found = network.from_trunk(inputs)
            pairs = found.float().log_softmax(1).reshape(-1, 2, self.task.labels)
            logits.append(torch.logsumexp(pairs, 1).sub(math.log(2)).cpu().numpy())
            pooled.append(maps.float().mean((2, 3)).reshape(len(pairs), 2, -1).mean(1).cpu().numpy())
        if not batches:
            return np.empty((0, self.task.labels), np.float32), np.empty((0, 0), np.float32)
        return np.concatenate(logits), np.concatenate(pooled)

    def _last_epoch(self) -> int:
        return self.task.stop_after or self.schedule.epochs

    def _last(self) -> dict[str, float]:
        return self._history[-1] if self._history else {}

    def _finished(self) -> bool:
        done = len(self._history)
        waited = done - self._best_epoch > self.schedule.patience
        return done >= self._last_epoch() or (len(self.task.held) > 0 and waited)

    def _epoch(self, epoch: int, steps: int) -> Iterator[float]:
        """The loss of each step."""
        random = np.random.default_rng([self.task.seed, epoch])
        order = random.permutation(self.task.train)
        rows = [part.tolist() for part in np.array_split(order, steps)]
        views: list[list[View]] = [epoch_views(part, epoch, self.batches.views) for part in rows]
        self.network.train()
        for number, inputs in enumerate(self.batches(views)):
            self._set_rates((epoch * steps + number + 1) / steps)
            targets = torch.from_numpy(self.task.targets[rows[number]]).to(self.device)
            with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
                torch.manual_seed(int(random.integers(2**31)))
                loss = self._step(inputs, targets, random)
            self._average(epoch * steps + number + 1)
            yield loss

    def _step(self, inputs: torch.Tensor, targets: torch.Tensor, random: np.random.Generator) -> float:
        wanted = functional.one_hot(targets, self.task.labels).float()
        if self.schedule.mixup and random.random() < 0.5:
            share = float(random.beta(self.schedule.mixup, self.schedule.mixup))
            other = torch.from_numpy(random.permutation(len(inputs))).to(self.device)
            inputs = share * inputs + (1 - share) * inputs[other]
            wanted = share * wanted + (1 - share) * wanted[other]
        weights = wanted @ self._weights
        wanted = wanted * (1 - self.schedule.smoothing) + self.schedule.smoothing / self.task.labels
        with self._precision():
            logits = self.network.from_trunk(inputs)[1]
        loss = -((wanted * logits.float().log_softmax(1)).sum(1) * weights).sum() / weights.sum()
        self._optimizer.zero_grad()
        self._scaler.scale(loss).backward()
        self._scaler.step(self._optimizer)
        self._scaler.update()
        return float(loss.detach())

    def _precision(self) -> Any:
        """float16 on CUDA; on the CPU nothing is gained."""
        return torch.autocast(self.device.type, torch.float16, enabled=self.device.type == "cuda")

    def _set_rates(self, epochs: float) -> None:
        """Warm-up, then half a cosine (Loshchilov & Hutter, "SGDR", ICLR 2017)."""
        warm, total = self.schedule.warm_up, self.schedule.epochs
        share = (epochs - warm) / max(total - warm, 1e-9)
        factor = epochs / warm if epochs < warm else 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor

    def _average(self, step: int) -> None:
        """Running mean of the weights; young means follow faster (Polyak & Juditsky, 1992)."""
        decay = min(self.schedule.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            mean = self._mean.state_dict()
            for name, value in _learned(self.network).items():
                if value.is_floating_point():
                    mean[name].lerp_(value, 1 - decay)
                else:
                    mean[name].copy_(value)

    def _judge(self, epoch: int, loss: float) -> None:
        """Metrics on the held-out rows, and the best weights so far.

        The loss is that after calibration: without it, weights would be kept from before the network was sure.
        """
        metrics = {"loss": loss}
        if len(self.task.held):
            logits, _ = self.judge(self._mean, self.task.held)
            truth = self.task.targets[self.task.held]
            metrics["held_loss"] = log_loss(logits * fit_scale(logits, truth), truth)
            metrics["held_accuracy"] = float((logits.argmax(1) == truth).mean())
        best = min((one.get("held_loss", math.inf) for one in self._history), default=math.inf)
        self._history.append(metrics)
        if metrics.get("held_loss", -math.inf) < best:
            self._best_epoch = epoch + 1
            self._best = {name: value.clone() for name, value in _learned(self._mean).items()}

    def _load_best(self) -> None:
        self.network.load_state_dict(self._best, strict=False)
        self.network.eval()

    def _save(self) -> None:
        """Everything the next epoch needs."""
        parts = {"network": _learned(self.network), "mean": _learned(self._mean), "best": self._best}
        tensors = {
            f"{part}.{name}": value.detach().cpu().numpy()
            for part, state in parts.items()
            for name, value in state.items()
        }
        for number, state in self._optimizer.state_dict()["state"].items():
            for name, value in state.items():
                tensors[f"optimizer.{number}.{name}"] = value.detach().cpu().numpy()
        record = {
            "run": self.task.run,
            "phase": self.phase,
            "history": self._history,
            "best_epoch": self._best_epoch,
            "scaler": self._scaler.state_dict(),
        }
        checkpoints.write(self.path, checkpoints.pack(KIND, tensors, record))

    def _resume(self) -> None:
        """Continue where the last finished epoch left off; a damaged file begins anew."""
        try:
            found = checkpoints.unpack(self.path.read_bytes(), KIND)
        except FileNotFoundError:
            return
        except CorruptCheckpoint as error:
            log.warning("training begins anew, its checkpoint cannot be used", extra={"reason": str(error)})
            return
        if (found.record["run"], found.record["phase"]) != (self.task.run, self.phase):
            raise IncompatibleCheckpoint(
                f"{self.path.name} belongs to another run; give each training a folder of its own"
            )
        parts: dict[str, dict[str, torch.Tensor]] = {"network": {}, "mean": {}, "best": {}, "optimizer": {}}
        for name, value in found.tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = torch.from_numpy(value).to(self.device)
        self.network.load_state_dict(parts["network"], strict=False)
        self._mean.load_state_dict(parts["mean"], strict=False)
        self._best = parts["best"]
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = tensor
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": state, "param_groups": groups})
        self._scaler.load_state_dict(found.record["scaler"])
        self._history, self._best_epoch = found.record["history"], found.record["best_epoch"]


def _learned(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state without the frozen part."""
    return {name: value for name, value in network.state_dict().items() if not name.startswith("trunk.")}


def _class_weights(task: Task, balance: float) -> torch.Tensor:
    """Weight of each label: its inverse frequency to the power of ``balance``; mean 1 over the photos."""
    counts = np.bincount(task.targets[task.train], minlength=task.labels)
    weights = np.where(counts > 0, np.maximum(counts, 1) ** -balance, 0.0)
    return torch.from_numpy((weights / (weights @ counts) * counts.sum()).astype(np.float32))
