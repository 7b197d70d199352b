"""Ensemble of small neural rankers, served in numpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...checkpoints import pack, unpack
from .feature_scaling import KIND, Scaling, scaling_of


@dataclass(frozen=True, eq=False)
class MlpRanker:
    """Networks of two hidden layers, side by side.

    Args:
        scaling: of the features.
        layers: ``w1 (2F, E H), b1 (E H,), w2 (E, H, H), b2 (E, 1, H), w3 (E, H, 1)``, float32.
    """

    scaling: Scaling
    layers: dict[str, np.ndarray]

    kind = "mlp"

    @property
    def features(self) -> tuple[str, ...]:
        """The columns it reads."""
        return self.scaling.features

    def score(self, x: np.ndarray) -> np.ndarray:
        """Mean over the networks; see ``Ranker``."""
        layers = self.layers
        if not len(x):
            return np.empty(0, np.float32)
        nets, width, _ = layers["w2"].shape
        first = np.maximum(self.scaling.inputs(x) @ layers["w1"] + layers["b1"], 0)
        first = first.reshape(len(x), nets, width).transpose(1, 0, 2)
        second = np.maximum(first @ layers["w2"] + layers["b2"], 0)
        return np.asarray((second @ layers["w3"]).mean(axis=0)[:, 0], np.float32)

    def to_bytes(self) -> bytes:
        """See ``Ranker``."""
        return pack(KIND + self.kind, {**self.scaling.tensors(), **self.layers}, self.scaling.record())

    @classmethod
    def from_bytes(cls, data: bytes) -> MlpRanker:
        """Read what ``to_bytes`` gave."""
        found = unpack(data, KIND + "mlp")
        return cls(scaling_of(found), {name: found.tensors[name] for name in ("w1", "b1", "w2", "b2", "w3")})
