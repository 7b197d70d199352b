"""The item model as fixed-width arrays, serialised to bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ...checkpoints import CorruptCheckpoint, pack, unpack
from .neighbours import Neighbours

KIND = "recommender-knowledge"
SEPARATOR = "\0"  # between references in the bytes; a text in a database holds none
FORMERLY = "\n"  # in bytes that name no separator; a product's key can hold one, and then they are refused


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What is known of N items at a time.

    Args:
        items: references as text; the place of one is its number.
        neighbours: by signal: ``next`` (after it in a visit, near ones more), ``after`` (in the following
            visits), ``together`` (in one visit), ``ease`` (item-item ridge, of the items that occur most).
        columns: by name, float32 (N,), such as ``popularity``.
        spaces: by name, unit rows or rows of zeros, float16 (N, D); a dot product is a similarity.
        words: buckets of each item's words (``text.words_of``), -1 where there are fewer; int32 (N, W).
        projections: matrices that bring new products into a space; see ``text``.
        as_of: when the last thing it knows happened, seconds since 1970.
    """

    items: tuple[str, ...]
    neighbours: Mapping[str, Neighbours] = field(default_factory=dict)
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    spaces: Mapping[str, np.ndarray] = field(default_factory=dict)
    words: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.int32))
    projections: Mapping[str, np.ndarray] = field(default_factory=dict)
    as_of: float = 0.0

    def __len__(self) -> int:
        return len(self.items)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {item: place for place, item in enumerate(self.items)}

    @cached_property
    def digest(self) -> str:
        """sha256 of the bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @cached_property
    def _vectors(self) -> dict[str, np.ndarray]:
        return {name: space.astype(np.float32) for name, space in self.spaces.items()}

    def vectors(self, name: str) -> np.ndarray:
        """A space for arithmetic, float32 (N, D); (0, 0) where there is none."""
        return self._vectors.get(name, np.empty((0, 0), np.float32))

    def numbers(self, refs: Iterable[str]) -> np.ndarray:
        """The items' numbers, int32; -1 for one it does not hold."""
        places = self._places
        return np.fromiter((places.get(ref, -1) for ref in refs), np.int32)

    def number(self, *lists: Sequence[str]) -> tuple[np.ndarray, ...]:
        """Numbers of several lists of products, int32; what it does not hold is numbered from its end on.

        The same product has the same number in all the lists, so that a product somebody has just seen is
        known again in the listing even if it is newer than the knowledge.
        """
        places, extra, found = self._places, dict[str, int](), []
        for refs in lists:
            row = [places.get(ref, -1) for ref in refs]
            for place, ref in enumerate(refs):
                if row[place] < 0:
                    row[place] = extra.setdefault(ref, len(self.items) + len(extra))
            found.append(np.array(row, np.int32))
        return tuple(found)

    def to_bytes(self) -> bytes:
        """A checkpoint (``shopvision.checkpoints``); the same knowledge always gives the same bytes."""
        names = np.frombuffer(SEPARATOR.join(self.items).encode(), np.uint8)
        tensors = {"items": names, "words": self.words}
        for name, one in self.neighbours.items():
            tensors[f"neighbours.{name}.ids"] = one.ids
            tensors[f"neighbours.{name}.weights"] = one.weights
        for group in ("columns", "spaces", "projections"):
            tensors |= {f"{group}.{name}": value for name, value in getattr(self, group).items()}
        return pack(KIND, tensors, {"as_of": self.as_of, "items": len(self.items), "separator": SEPARATOR})

    @classmethod
    def from_bytes(cls, data: bytes) -> Knowledge:
        """Read what ``to_bytes`` gave.

        Raises:
            CorruptCheckpoint: truncated, altered, or not a checkpoint.
            IncompatibleCheckpoint: of another format version or kind.
        """
        tensors, record, _ = unpack(data, KIND)
        names, words = tensors.pop("items").tobytes().decode(), tensors.pop("words")
        items = tuple(names.split(record.get("separator", FORMERLY))) if record["items"] else ()
        groups: dict[str, dict[str, np.ndarray]] = {"columns": {}, "spaces": {}, "projections": {}}
        lists: dict[str, dict[str, np.ndarray]] = {}
        for key, value in tensors.items():
            group, name = key.split(".", 1)
            if group == "neighbours":
                lists.setdefault(name.rsplit(".", 1)[0], {})[name.rsplit(".", 1)[1]] = value
            elif group in groups:
                groups[group][name] = value
        if len(items) != record["items"]:
            raise CorruptCheckpoint(f"{len(items)} names of {record['items']} items")
        neighbours = {name: Neighbours(**parts) for name, parts in lists.items()}
        return cls(items, neighbours, **groups, words=words, as_of=float(record["as_of"]))


NOTHING = Knowledge(())
"""What a fresh shop knows."""
