"""Result of an indexing run, in numbers and text."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .. import metrics
from ..messages import Message
from ..types import ProductRef


@dataclass(slots=True)
class IndexReport:
    """What one round of indexing did.

    Args:
        indexed: products that were written.
        unchanged: products that had nothing new.
        removed: products that left.
        images: photos described; the costly part.
        rejected: photos set aside in this round.
        failed: products to try again, with the reason.
        ms: milliseconds by stage: load, photos, write, follow.
    """

    indexed: int = 0
    unchanged: int = 0
    removed: int = 0
    images: int = 0
    rejected: int = 0
    failed: dict[ProductRef, Message] = field(default_factory=dict)
    ms: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block into ``ms`` and into the telemetry."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - start) * 1000
            self.ms[name] += spent  # type: ignore[assignment]
            metrics.observe(f"index_{name}", spent)

    def add(self, other: IndexReport) -> None:
        """Count another round in."""
        self.indexed += other.indexed
        self.unchanged += other.unchanged
        self.removed += other.removed
        self.images += other.images
        self.rejected += other.rejected
        self.failed.update(other.failed)
        self.ms.update(other.ms)

    def __str__(self) -> str:
        seconds = sum(self.ms.values()) / 1000
        rate = f" ({self.images / seconds:.0f}/s)" if self.images and seconds else ""
        parts = [f"{self.indexed} products indexed, {self.images} new photos in {seconds:.1f} s{rate}"]
        for number, what in (
            (self.unchanged, "unchanged"),
            (self.removed, "removed"),
            (self.rejected, "photos rejected"),
            (len(self.failed), "to try again"),
        ):
            if number:
                parts.append(f"{number} {what}")
        return "; ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "indexed": self.indexed,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "images": self.images,
            "rejected": self.rejected,
            "failed": {str(ref): str(reason) for ref, reason in self.failed.items()},
            "ms": {name: round(value, 1) for name, value in self.ms.items()},
        }
