"""Disclosure control: figures about fewer than five visitors are not shown."""

from __future__ import annotations

LEAST_SUBJECTS = 5
"""Of fewer visitors a sum says too much of each; five is a usual least cell size of official statistics."""


def is_too_small(subjects: int) -> bool:
    """Whether figures about so many different visitors must be withheld."""
    return subjects < LEAST_SUBJECTS


def withheld_below(count: int) -> int | None:
    """A number of visitors; None in place of one from 1 to ``LEAST_SUBJECTS - 1``."""
    return None if 0 < count < LEAST_SUBJECTS else count
