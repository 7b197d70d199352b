"""Late fusion of the photo and text classifiers, weighted by cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self, cast

import numpy as np

from .base import Examples
from .heads import Head, LinearHead, Prototypes
from .open_set import OpenSet
from .text import TextHead

PHOTO_KINDS: dict[str, type[Prototypes | LinearHead]] = {"prototypes": Prototypes, "linear": LinearHead}


class FusedHead(Head):
    """``photo weight x photo scores + text weight x text scores``; where a text says nothing, the photo alone.

    Args:
        photo: the head on descriptors.
        text: the head on texts, of the same labels.
        weights: of the photo's and the text's scores.
        open_set: the doubt that it is any of the labels.
        recipe: how it was made, for people: also what each modality alone would give.

    Raises:
        ValueError: the two heads tell different labels apart.
    """

    kind = "fused"
    needs: ClassVar[frozenset[str]] = frozenset({"descriptors", "texts"})

    def __init__(
        self,
        photo: Prototypes | LinearHead,
        text: TextHead,
        weights: tuple[float, float],
        open_set: OpenSet,
        recipe: Mapping[str, Any] | None = None,
    ) -> None:
        if photo.labels != text.labels:
            raise ValueError("a fused head takes two heads of the same labels")
        self.labels = photo.labels
        self.photo = photo
        self.text = text
        self.weights = weights
        self.scale = 1.0
        self.open_set = open_set
        self.recipe = dict(recipe or {})

    def scores(self, examples: Examples, nearness: np.ndarray) -> np.ndarray:
        """The weighted sum."""
        rows = self.text.vocabulary.rows(examples.texts or ())
        silent = np.asarray(~rows.any(axis=1))
        return fuse(
            self.photo.scores(examples, nearness), self.text.scores_of_rows(rows), silent, self.weights
        )

    def nearness(self, examples: Examples) -> np.ndarray:
        """That of the photo."""
        return self.photo.nearness(examples)

    def parts(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Both heads' parts, told apart by a prefix."""
        record: dict[str, Any] = {
            **self.record(),
            "weights": list(self.weights),
            "photo_kind": self.photo.kind,
        }
        tensors: dict[str, np.ndarray] = {}
        for name, head in (("photo", self.photo), ("text", self.text)):
            record[name], arrays = cast(Head, head).parts()
            tensors.update({f"{name}/{key}": value for key, value in arrays.items()})
        return record, tensors

    @classmethod
    def from_parts(cls, record: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> Self:
        """Read what ``parts`` gave."""
        labels = record["labels"]

        def mine(name: str) -> dict[str, np.ndarray]:
            start = f"{name}/"
            return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}

        photo = PHOTO_KINDS[record["photo_kind"]].from_parts(
            {**record["photo"], "labels": labels}, mine("photo")
        )
        text = TextHead.from_parts({**record["text"], "labels": labels}, mine("text"))
        first, second = record["weights"]
        return cls(photo, text, (first, second), OpenSet.from_dict(record["open_set"]), record["recipe"])


def fuse(photo: np.ndarray, text: np.ndarray, silent: np.ndarray, weights: tuple[float, float]) -> np.ndarray:
    """``a photo + b text``; the photo alone where the text is silent, bool (N,)."""
    both = weights[0] * photo + weights[1] * text
    return np.asarray(np.where(silent[:, None], photo, both), np.float32)
