"""What a classifier said of products it had not seen: kept beside it, to compare releases on equal terms."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Answer:
    """The label a classifier gave a product it had not learned from, and how sure it was."""

    label: str
    probability: float


def pack_answers(keys: Sequence[str], labels: Sequence[str], probabilities: np.ndarray) -> bytes:
    """Answers as bytes: zlib of JSON ``[[key, label's number, probability]]`` after the labels.

    Args:
        keys: of the products. labels: in the order of the columns. probabilities: (N, C).
    """
    best = probabilities.argmax(axis=1) if len(keys) else np.empty(0, int)
    rows = [
        [key, int(label), round(float(probabilities[row, label]), 4)]
        for row, (key, label) in enumerate(zip(keys, best, strict=True))
    ]
    return zlib.compress(json.dumps([list(labels), rows], separators=(",", ":")).encode())


def unpack_answers(data: bytes) -> Mapping[str, Answer]:
    """Answers by product, from what ``pack_answers`` gave; nothing gives none."""
    if not data:
        return {}
    labels, rows = json.loads(zlib.decompress(data))
    return {key: Answer(labels[label], probability) for key, label, probability in rows}
