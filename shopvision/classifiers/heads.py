"""Classification heads on descriptors: nearest prototypes, and a linear head."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ..encoders.base import Descriptors
from ..encoders.projection import unit
from .base import Classifier, Examples, softmax
from .open_set import OpenSet


@dataclass(frozen=True)
class BlockMap:
    """A linear map of the unit-norm blocks: ``sum over blocks of unit(block) M_block, less the offset``.

    Args:
        maps: by block, float32 (d, r).
        offset: float32 (r,).
    """

    maps: Mapping[str, np.ndarray]
    offset: np.ndarray

    def rows(self, descriptors: Descriptors) -> np.ndarray:
        """float32 (N, r); no blocks at all give (0, r).

        Raises:
            ValueError: a block is missing.
        """
        missing = [name for name in self.maps if name not in descriptors]
        if missing and descriptors:
            raise ValueError(f"the descriptors lack {', '.join(missing)}; they are of another encoder")
        count = len(next(iter(descriptors.values()))) if descriptors else 0
        out = np.repeat(-self.offset[None], count, axis=0)
        for name in sorted(self.maps) if count else ():  # in one order, so that sums round alike
            out += unit(descriptors[name]) @ self.maps[name]
        return out

    def tensors(self, prefix: str) -> dict[str, np.ndarray]:
        """For storing: matrices in half precision."""
        found = {f"{prefix}.{name}": matrix.astype(np.float16) for name, matrix in self.maps.items()}
        return {**found, f"{prefix}_offset": self.offset}

    @classmethod
    def from_tensors(cls, prefix: str, tensors: Mapping[str, np.ndarray]) -> BlockMap:
        """Read what ``tensors`` gave."""
        start = f"{prefix}."
        maps = {
            name.removeprefix(start): value.astype(np.float32)
            for name, value in tensors.items()
            if name.startswith(start)
        }
        return cls(maps, tensors[f"{prefix}_offset"])

    def stored(self) -> BlockMap:
        """Rounded to what is stored, so that nothing changes by saving."""
        maps = {name: matrix.astype(np.float16).astype(np.float32) for name, matrix in self.maps.items()}
        return BlockMap(maps, self.offset.astype(np.float32))


@dataclass(frozen=True)
class Landmarks:
    """Where each label lies among the photos.

    Args:
        space: blocks -> a space in which photos of one label lie close.
        centres: unit rows, one a label, float32 (C, r).
    """

    space: BlockMap
    centres: np.ndarray

    def nearness(self, descriptors: Descriptors) -> np.ndarray:
        """Cosine to each label's centre, float32 (N, C)."""
        return np.asarray(unit(self.space.rows(descriptors)) @ self.centres.T, np.float32)

    def tensors(self) -> dict[str, np.ndarray]:
        """For storing."""
        return {**self.space.tensors("space"), "centres": self.centres}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray]) -> Landmarks:
        """Read what ``tensors`` gave."""
        return cls(BlockMap.from_tensors("space", tensors), tensors["centres"])


class Head(Classifier):
    """A classifier made of scores and of how near each label's centre is."""

    scale: float
    open_set: OpenSet
    recipe: dict[str, Any]

    @abstractmethod
    def scores(self, examples: Examples, nearness: np.ndarray) -> np.ndarray:
        """Calibrated logits, float32 (N, C): their softmax is the probabilities."""

    @abstractmethod
    def nearness(self, examples: Examples) -> np.ndarray:
        """Cosine to each label's centre, float32 (N, C)."""

    def probabilities(self, examples: Examples) -> np.ndarray:
        """Softmax of the scores."""
        self.check(examples)
        return softmax(self.scores(examples, self.nearness(examples))).astype(np.float32)

    def known(self, examples: Examples) -> np.ndarray:
        """From the scores, and how near the nearest centre is."""
        return self.judge(examples)[1]

    def judge(self, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        """Both from one look at the nearness."""
        self.check(examples)
        nearness = self.nearness(examples)
        scores = self.scores(examples, nearness)
        return softmax(scores).astype(np.float32), self.open_set.known(scores, nearness)

    def record(self) -> dict[str, Any]:
        """The scalars, for ``parts``."""
        return {"scale": self.scale, "open_set": self.open_set.as_dict(), "recipe": self.recipe}


class Prototypes(Head):
    """The nearest label's centre, as a probability; works from one photo a label.

    Args:
        labels: in the order of ``landmarks.centres``.
        landmarks: the centres.
        scale: of the cosines before the softmax (1 / temperature).
        open_set: the doubt that it is any of them.
        recipe: how it was made, for people.
    """

    kind = "prototypes"
    needs: ClassVar[frozenset[str]] = frozenset({"descriptors"})

    def __init__(
        self,
        labels: Sequence[str],
        landmarks: Landmarks,
        scale: float,
        open_set: OpenSet,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self.labels = tuple(labels)
        self.landmarks = landmarks
        self.scale = scale
        self.open_set = open_set
        self.recipe = dict(recipe or {})

    def scores(self, examples: Examples, nearness: np.ndarray) -> np.ndarray:
        """Scaled cosines to the centres."""
        return nearness * np.float32(self.scale)

    def nearness(self, examples: Examples) -> np.ndarray:
        """Cosines to the centres."""
        return self.landmarks.nearness(examples.descriptors or {})

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The centres and their space."""
        return self.record(), self.landmarks.tensors()

    @classmethod
    def from_parts(cls, record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Read what ``parts`` gave."""
        open_set = OpenSet.from_dict(record["open_set"])
        return cls(
            record["labels"], Landmarks.from_tensors(tensors), record["scale"], open_set, record["recipe"]
        )


class LinearHead(Head):
    """A linear discriminant or logistic regression on the blocks, leaning on the centres' cosines.

    Args:
        labels: in the order of the columns.
        logits: blocks -> logits, uncalibrated; ``logits.maps["c5"]`` weighs the last map's channels by label.
        scales: of the logits and of the cosines before the softmax.
        landmarks: the labels' centres.
        open_set: the doubt that it is any of them.
        recipe: how it was made, for people.
    """

    kind = "linear"
    needs: ClassVar[frozenset[str]] = frozenset({"descriptors"})

    def __init__(
        self,
        labels: Sequence[str],
        logits: BlockMap,
        scales: tuple[float, float],
        landmarks: Landmarks,
        open_set: OpenSet,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        self.labels = tuple(labels)
        self.logits = logits
        self.scales = scales
        self.scale = scales[0]
        self.landmarks = landmarks
        self.open_set = open_set
        self.recipe = dict(recipe or {})

    def scores(self, examples: Examples, nearness: np.ndarray) -> np.ndarray:
        """Scaled logits and cosines."""
        logits = self.logits.rows(examples.descriptors or {})
        return np.asarray(self.scales[0] * logits + self.scales[1] * nearness, np.float32)

    def nearness(self, examples: Examples) -> np.ndarray:
        """Cosines to the centres."""
        return self.landmarks.nearness(examples.descriptors or {})

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The matrices."""
        record = {**self.record(), "lean": self.scales[1]}
        return record, {**self.logits.tensors("logits"), **self.landmarks.tensors()}

    @classmethod
    def from_parts(cls, record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Read what ``parts`` gave."""
        return cls(
            record["labels"],
            BlockMap.from_tensors("logits", tensors),
            (record["scale"], record["lean"]),
            Landmarks.from_tensors(tensors),
            OpenSet.from_dict(record["open_set"]),
            record["recipe"],
        )
