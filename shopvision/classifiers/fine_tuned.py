"""Fine-tuned network as a classifier in ONNX Runtime, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ..encoders.onnx import BATCH, INPUT, OUTPUTS, REFUSALS, session_of
from ..encoders.projection import unit
from ..images.preprocess import PreprocessSpec, normalise, squares
from .base import Classifier, Examples, softmax
from .open_set import OpenSet


@dataclass(frozen=True, slots=True)
class Calibration:
    """What the network's numbers mean; fitted on photos it has not learned from.

    Args:
        scale: of the logits before the softmax (1 / temperature).
        centres: mean of the pooled last map of each label's photos, unit rows, float32 (L, C).
        open_set: the doubt that it is any of the labels.
    """

    scale: float
    centres: np.ndarray
    open_set: OpenSet


class FineTuned(Classifier):
    """Runs the graph on the photo and its mirror image, and takes the mean of the two probabilities.

    Args:
        kind: ``finetuned`` or ``cnn``.
        labels: in the order of the logits.
        graph: serialised ONNX, ``pixels`` -> ``OUTPUTS``.
        preprocess: how it wants its pixels.
        calibration: what its numbers mean.
        head: weights of a linear head on the mean of the last map, float32 (L, C): with them the class
            activation map is exact; None where the head is of another form.
        recipe: how it was made, for people.

    Raises:
        ValueError: ONNX Runtime cannot read the graph.
    """

    kind = "finetuned"
    needs: ClassVar[frozenset[str]] = frozenset({"images"})

    def __init__(
        self,
        kind: str,
        labels: Sequence[str],
        graph: bytes,
        preprocess: PreprocessSpec,
        calibration: Calibration,
        *,
        head: np.ndarray | None = None,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self.kind = kind
        self.labels = tuple(labels)
        self.graph = graph
        self.preprocess = preprocess
        self.calibration = calibration
        self.head = head
        self.recipe = dict(recipe or {})
        try:
            self._session = session_of(graph)
        except REFUSALS as error:
            raise ValueError(f"not a classifier's graph: {error}") from error

    def quantised(self, graph: bytes) -> Self:
        """The same classifier with its graph at int8; labels and calibration stay."""
        return type(self)(
            self.kind,
            self.labels,
            graph,
            self.preprocess,
            self.calibration,
            head=self.head,
            recipe={**self.recipe, "precision": "int8"},
        )

    def probabilities(self, examples: Examples) -> np.ndarray:
        """Mean over both views, tempered."""
        return softmax(self._judged(examples)[0] * self.calibration.scale).astype(np.float32)

    def known(self, examples: Examples) -> np.ndarray:
        """From the logits, and how near the pooled map is to the nearest label's centre."""
        return self.judge(examples)[1]

    def judge(self, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        """Both from one run of the network."""
        logits, pooled = self._judged(examples)
        scaled = logits * self.calibration.scale
        nearness = unit(pooled) @ self.calibration.centres.T
        return softmax(scaled).astype(np.float32), self.calibration.open_set.known(scaled, nearness)

    def run(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squares uint8 (N, S, S, 3) -> last maps float32 (N, C, h, w) and logits (N, L), uncalibrated."""
        maps, logits = self._session.run(list(OUTPUTS), {INPUT: normalise(pixels, self.preprocess)})
        return np.asarray(maps), np.asarray(logits)

    def views(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squares uint8 (N, S, S, 3) -> log of the mean probability of both views (N, L), pooled maps (N, C)."""
        both = np.stack([pixels, pixels[:, :, ::-1]], axis=1).reshape(-1, *pixels.shape[1:])
        maps, logits = self.run(both)
        mean = softmax(logits.astype(np.float64)).reshape(len(pixels), 2, -1).mean(axis=1)
        pooled = maps.mean((2, 3)).reshape(len(pixels), 2, -1).mean(axis=1)
        return np.log(np.maximum(mean, 1e-12)), pooled

    def _judged(self, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        """The same of photos, a few at a time: memory does not grow with their number."""
        self.check(examples)
        images = examples.images or ()
        logits = [np.empty((0, len(self.labels)))]
        pooled = [np.empty((0, self.calibration.centres.shape[1]), np.float32)]
        for start in range(0, len(images), BATCH):
            found = self.views(squares(images[start : start + BATCH], self.preprocess))
            logits.append(found[0])
            pooled.append(found[1])
        return np.concatenate(logits), np.concatenate(pooled)

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The graph as bytes, and what its numbers mean."""
        record = {
            "preprocess": self.preprocess.as_dict(),
            "scale": self.calibration.scale,
            "open_set": self.calibration.open_set.as_dict(),
            "recipe": self.recipe,
        }
        tensors = {"graph": np.frombuffer(self.graph, np.uint8), "centres": self.calibration.centres}
        return record, tensors if self.head is None else {**tensors, "head": self.head}

    @classmethod
    def from_parts(cls, record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Read what ``parts`` gave."""
        pre = record["preprocess"]
        return cls(
            record["kind"],
            record["labels"],
            tensors["graph"].tobytes(),
            PreprocessSpec(pre["size"], tuple(pre["mean"]), tuple(pre["std"]), pre["fit"]),
            Calibration(record["scale"], tensors["centres"], OpenSet.from_dict(record["open_set"])),
            head=tensors.get("head"),
            recipe=record["recipe"],
        )
