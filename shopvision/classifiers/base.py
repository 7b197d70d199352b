"""Classifier contract: probabilities, calibration and abstention."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Self

import numpy as np
from PIL.Image import Image
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ..encoders.base import Descriptors

FORMAT = 1
METADATA = "classifier"  # key of the JSON record in the safetensors header
KINDS = {
    "prototypes": f"{__package__}.heads:Prototypes",
    "linear": f"{__package__}.heads:LinearHead",
    "text": f"{__package__}.text:TextHead",
    "fused": f"{__package__}.fusion:FusedHead",
    "finetuned": f"{__package__}.fine_tuned:FineTuned",
    "cnn": f"{__package__}.fine_tuned:FineTuned",
}
"""Where each kind lives; loaded when one is read. None needs torch: trained networks are served as ONNX graphs."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Things to classify, one row each; a modality nobody has is None.

    Args:
        descriptors: blocks by name, float32 (N, d) each.
        texts: title and description.
        images: upright RGB, any size.
    """

    descriptors: Descriptors | None = None
    texts: Sequence[str] | None = None
    images: Sequence[Image] | None = None

    def __len__(self) -> int:
        if self.descriptors:
            return len(next(iter(self.descriptors.values())))
        rows = self.texts if self.texts is not None else self.images
        return len(rows) if rows is not None else 0

    @property
    def given(self) -> frozenset[str]:
        """Names of the modalities that are there."""
        return frozenset(
            name for name in ("descriptors", "texts", "images") if getattr(self, name) is not None
        )

    def take(self, rows: np.ndarray) -> Examples:
        """Some of them (row numbers), in that order."""
        return Examples(
            None if self.descriptors is None else {k: block[rows] for k, block in self.descriptors.items()},
            None if self.texts is None else [self.texts[row] for row in rows],
            None if self.images is None else [self.images[row] for row in rows],
        )


class Classifier(ABC):
    """Calibrated probabilities over labels, with a doubt. Thread-safe, deterministic, without Django.

    Args:
        kind: one of ``KINDS``.
        labels: what it tells apart, at least two, in the order of the columns.
        needs: modalities an example must have: ``descriptors``, ``texts``, ``images``.
    """

    kind: str
    labels: tuple[str, ...]
    needs: ClassVar[frozenset[str]]

    @abstractmethod
    def probabilities(self, examples: Examples) -> np.ndarray:
        """Calibrated probability of each label, given that it is one of them.

        Returns:
            float32 (N, C), rows sum to 1, in the order of the examples; no examples give (0, C).

        Raises:
            ValueError: a modality it needs is missing.
        """

    @abstractmethod
    def known(self, examples: Examples) -> np.ndarray:
        """Probability that the thing carries any of the labels at all (open set), float32 (N,) in [0, 1]."""

    def judge(self, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        """``probabilities`` and ``known``, where a kind can, in one pass."""
        return self.probabilities(examples), self.known(examples)

    @abstractmethod
    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What it is made of: a JSON record, and tensors by name."""

    @classmethod
    @abstractmethod
    def from_parts(cls, record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Make it again from what ``parts`` gave; the record also holds ``kind`` and ``labels``."""

    def to_bytes(self) -> bytes:
        """Safetensors with one JSON record; the same classifier always gives the same bytes."""
        record, tensors = self.parts()
        head = {**record, "format": FORMAT, "kind": self.kind, "labels": list(self.labels)}
        arrays = {name: np.ascontiguousarray(value) for name, value in tensors.items()}
        return bytes(save(arrays, {METADATA: json.dumps(head, sort_keys=True)}))

    @property
    def digest(self) -> str:
        """sha256 of ``to_bytes``."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def check(self, examples: Examples) -> None:
        """Refuse examples that lack what this classifier looks at.

        Raises:
            ValueError: which modality is missing.
        """
        missing = self.needs - examples.given
        if missing:
            raise ValueError(f"a {self.kind!r} classifier looks at {', '.join(sorted(missing))}: none given")


def classifier_from_bytes(data: bytes) -> Classifier:
    """Read what ``Classifier.to_bytes`` gave.

    Raises:
        ValueError: it is no classifier, of another format version, or of an unknown kind.
    """
    try:
        tensors = load(data)
        length = int.from_bytes(data[:8], "little")
        record = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][METADATA])
    except (ValueError, KeyError, SafetensorError) as error:
        raise ValueError("these bytes hold no classifier") from error
    if record.get("format") != FORMAT:
        raise ValueError(f"classifier of format {record.get('format')}; this version reads format {FORMAT}")
    if record.get("kind") not in KINDS:
        raise ValueError(f"classifier of unknown kind {record.get('kind')!r}; known are {', '.join(KINDS)}")
    module, _, name = KINDS[record["kind"]].partition(":")
    found: type[Classifier] = getattr(import_module(module), name)
    return found.from_parts(record, tensors)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows of probabilities, float64 (N, C)."""
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))


def sigmoid(logit: np.ndarray) -> np.ndarray:
    """``1 / (1 + exp(-x))``, float64, without overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))))
