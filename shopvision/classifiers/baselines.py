"""The small network from scratch that trained classifiers are compared with."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from ..messages import Message

KIND = "cnn"
MOST_PHOTOS = 800  # a comparison may cost two minutes of two cores, however many photos the shop has
LEAST_PRODUCTS = 2  # of each label: one to learn from, one to judge on


def why_not() -> Message | None:
    """Why networks cannot be trained in this installation; None where they can."""
    if find_spec("torch") is None or find_spec("timm") is None:
        return Message("torch_not_installed")
    return None


def rows_for(
    targets: np.ndarray, groups: np.ndarray, *, most: int | None = None, seed: int = 0
) -> np.ndarray:
    """Examples for a comparison that must not cost much: whole products, the labels taking turns.

    Args:
        targets: int (N,). groups: product of each example, int (N,).
        most: examples, ``MOST_PHOTOS`` if not given; more only where a label would have fewer than
            ``LEAST_PRODUCTS`` products.
        seed: of which products come first.

    Returns:
        row numbers, rising; all of them where they are no more than ``most``.
    """
    room = MOST_PHOTOS if most is None else most
    if len(targets) <= room:
        return np.arange(len(targets))
    rng = np.random.default_rng(seed)
    queues = {
        int(label): rng.permutation(np.unique(groups[targets == label])) for label in np.unique(targets)
    }
    sizes = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    taken: set[int] = set()
    for turn in range(max(map(len, queues.values()))):
        for queue in queues.values():
            if turn < len(queue) and queue[turn] not in taken and (room > 0 or turn < LEAST_PRODUCTS):
                taken.add(queue[turn])
                room -= int(sizes[queue[turn]])
    return np.flatnonzero(np.isin(groups, list(taken)))
