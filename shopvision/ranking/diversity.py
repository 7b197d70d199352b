"""Diversify an order (MMR) and limit how far products move; numpy only."""

from __future__ import annotations

import numpy as np

JUST_ABOVE = 5  # products that a product is compared with
DIVERSE = 48  # first places that are kept diverse; nobody sees farther at once
LIKENESS = 4.0  # standard deviations of the scores that a product's exact twin costs at full diversity


def best_first(scores: np.ndarray) -> np.ndarray:
    """Places by score; equals keep the shop's own order."""
    return np.argsort(-scores, kind="stable")


def diverse(scores: np.ndarray, vectors: np.ndarray | None, share: float) -> np.ndarray:
    """Places best first, where likeness to those just above counts against a product.

    Each place goes to the largest ``(1 - share) z - share LIKENESS s``, with z the standardised score and s
    the largest similarity, above 0, to the ``JUST_ABOVE`` products before it.

    Args:
        vectors: unit rows, or rows of zeros, (L, D); None leaves the order by score.

    Source: Carbonell and Goldstein, "The use of MMR", SIGIR 1998.
    """
    order = best_first(scores)
    spread = float(scores.std())
    if not share or vectors is None or spread == 0:
        return order
    worth = (1 - share) * (scores - scores.mean()) / spread
    likeness = np.zeros((min(JUST_ABOVE, len(scores)), len(scores)), np.float32)
    left = np.ones(len(scores), bool)
    chosen: list[int] = []
    for turn in range(min(DIVERSE, len(scores))):
        value = np.where(left, worth - share * LIKENESS * likeness.max(axis=0), -np.inf)
        best = int(value.argmax())
        chosen.append(best)
        left[best] = False
        likeness[turn % len(likeness)] = np.maximum(vectors @ vectors[best], 0)
    return np.concatenate([np.array(chosen, order.dtype), order[left[order]]])


def at_most(order: np.ndarray, most: int) -> np.ndarray:
    """The order with no product more than ``most`` places from where the shop has it; 0 sets no limit.

    Each place goes to the product that must not wait longer, if there is one; else to the best that may
    come so far up.
    """
    if not most:
        return order
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    left = np.ones(len(order), bool)
    out = np.empty_like(order)
    for place in range(len(order)):
        due = place - most
        if due >= 0 and left[due]:
            best = due
        else:
            near = np.flatnonzero(left[: place + most + 1])
            best = int(near[rank[near].argmin()])
        out[place] = best
        left[best] = False
    return out
