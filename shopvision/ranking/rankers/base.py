"""Ranker contract, the untrained prior ranker, and deserialisation."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np

from ...checkpoints import CorruptCheckpoint, IncompatibleCheckpoint, pack, unpack
from ..features import FEATURES
from .feature_scaling import KIND, check_features
from .lambdamart import BoostedRanker
from .linear import LinearRanker
from .mlp import MlpRanker


class Ranker(Protocol):
    """Scores products by their features; pure, and safe to share between threads.

    Each column standardised and each choice made in training lies in the bytes: equal bytes score alike.
    """

    @property
    def kind(self) -> str:
        """What it is, such as ``linear``."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns it reads, some of ``features.FEATURES``."""
        ...

    def score(self, x: np.ndarray) -> np.ndarray:
        """Scores of a listing's products, unbounded, higher is better; float32 (L,).

        Args:
            x: finite, float32 (L, F), all the columns of ``features.FEATURES``; no rows give no scores.
        """
        ...

    def to_bytes(self) -> bytes:
        """A checkpoint that ``ranker_from_bytes`` reads."""
        ...


PRIOR = MappingProxyType(
    {
        "next_sum": 1.0,
        "after_sum": 0.5,
        "together_sum": 0.5,
        "ease_sum": 1.0,
        "next_lately": 0.5,
        "text_mean": 0.3,
        "text_best": 0.2,
        "visual_mean": 0.8,
        "visual_best": 0.6,
        "words": 0.5,
        "popularity": 0.3,
        "recent": 0.5,
        "trend": 0.2,
        "seen": 0.2,
        "seen_lately": 0.1,
        "comes_back": 1.0,
        "price_gap": -0.15,
        "category": 0.4,
        "fresh": 0.2,
        "position": 0.5,
    }
)
"""Weights of the untrained blend, of columns scaled to the listing's largest value (``RELATIVE``)."""
RELATIVE = tuple(name for name in FEATURES if name.split("_")[0] in ("next", "after", "together", "ease"))


@dataclass(frozen=True)
class PriorRanker:
    """The untrained blend: sensible from the first click on, and before it (popular, new, the shop's order).

    Args:
        weights: by column.
    """

    weights: Mapping[str, float] = field(default_factory=lambda: PRIOR)

    kind = "prior"

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it weighs, in the order of ``FEATURES``."""
        return tuple(name for name in FEATURES if name in self.weights)

    def score(self, x: np.ndarray) -> np.ndarray:
        """Weighted sum; co-visitation relative to the listing's strongest, as its scale differs by shop."""
        out = np.zeros(len(x), np.float32)
        if not len(x):
            return out
        for name in self.features:
            weight = self.weights[name]
            column = x[:, FEATURES.index(name)]
            most = float(column.max()) if name in RELATIVE else 1.0
            if most > 0:
                out += np.float32(weight / most) * column
        return out

    def to_bytes(self) -> bytes:
        """The weights; see ``Ranker``."""
        return pack(KIND + self.kind, {}, {"weights": dict(self.weights)})

    @classmethod
    def from_bytes(cls, data: bytes) -> PriorRanker:
        """Read what ``to_bytes`` gave."""
        weights = unpack(data, KIND + "prior").record["weights"]
        check_features(weights)
        return cls(MappingProxyType(weights))


READERS: dict[str, Callable[[bytes], Ranker]] = {
    "prior": PriorRanker.from_bytes,
    "linear": LinearRanker.from_bytes,
    "mlp": MlpRanker.from_bytes,
    "lightgbm": BoostedRanker.from_bytes,
}


def ranker_from_bytes(data: bytes) -> Ranker:
    """The ranker whose ``to_bytes`` these are.

    Raises:
        CorruptCheckpoint: damaged, or no ranker at all.
        IncompatibleCheckpoint: of a kind or format that this version or installation cannot read.
    """
    kind = _kind(data)
    if kind not in READERS:
        raise IncompatibleCheckpoint(f"a ranker of kind {kind!r}; this version reads {sorted(READERS)}")
    return READERS[kind](data)


def _kind(data: bytes) -> str:
    length = int.from_bytes(data[:8], "little")
    try:
        head = json.loads(data[8 : 8 + length])
        kind = json.loads(head["__metadata__"]["checkpoint"])["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptCheckpoint("these bytes hold no ranker") from error
    if not str(kind).startswith(KIND):
        raise IncompatibleCheckpoint(f"a checkpoint of {kind!r} was given where a ranker is read")
    return str(kind)[len(KIND) :]
