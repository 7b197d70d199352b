"""Explore rarely shown products, with known propensities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

TOP = 24  # places of a first page; what stands behind it is seldom seen
SKIPPED = 3  # first places of it that always go to the best
DRAWS = 32
PRIOR_SHOWN = 20.0  # impressions at the shop's own rate that every product starts with
USUAL_RATE = 0.05  # clicks per impression of a shop that has counted nothing yet


@dataclass(frozen=True, slots=True)
class Explored:
    """An order and its odds.

    Args:
        order: the order given, perhaps with one product moved up.
        propensities: probability of the product at each place to stand there, in (0, 1].
        chosen: the product that was moved up, or -1.
    """

    order: np.ndarray
    propensities: np.ndarray
    chosen: int = -1


def explore(
    order: np.ndarray,
    shown: np.ndarray,
    clicked: np.ndarray,
    *,
    share: float,
    first: int,
    last: int,
    rng: np.random.Generator,
) -> Explored:
    """With probability ``share``, move one product from behind the first page to a place on it.

    The place is drawn evenly, the product by Thompson sampling of its click rate: Beta(clicks + prior,
    impressions without a click + prior), ``DRAWS`` rounds; each wins with the share of rounds it came first
    in, mixed with one round for everybody, so that no odds are zero.

    Args:
        order: places of the products, best first, int (L,).
        shown, clicked: impressions and clicks of each product, (L,), by its place.
        first, last: part of ``order`` whose products may be moved.

    Source: Thompson, "On the likelihood that one unknown probability exceeds another", Biometrika 1933.
    """
    slots = np.arange(first + SKIPPED, min(first + TOP, last))
    pool = np.arange(first + TOP, last)
    odds = np.ones(len(order))
    if not share or not len(slots) or not len(pool):
        return Explored(order, odds)
    win = _wins(shown[order[pool]], clicked[order[pool]], rng)
    chosen, moved, out = -1, -1, order
    slot = -1
    if rng.random() < share:
        slot, moved = int(rng.choice(slots)), int(rng.choice(pool, p=win))
        chosen = int(order[moved])
        out = np.concatenate([order[:slot], [chosen], np.delete(order[slot:], moved - slot)])
    places = np.arange(len(order))
    above = np.searchsorted(slots, places, side="right") / len(slots)  # odds that the slot is at or above
    won = np.zeros(len(order))
    won[pool] = win
    passed = np.cumsum(won)  # odds that the moved product comes from here or above
    stays = 1 - share * above * (1 - passed)
    stays[pool] -= share * win  # its own turn moves it away
    shifts = share * above * (1 - passed)
    for place in range(len(order)):
        if slot < 0 or place < slot or place > moved:
            odds[place] = stays[place]
        elif place == slot:
            odds[place] = share / len(slots) * won[moved]
        else:
            odds[place] = shifts[place - 1]
    return Explored(out, np.clip(odds, 1e-9, 1.0), chosen)


def _wins(shown: np.ndarray, clicked: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Odds of each product to win a round, sums to 1."""
    total = float(shown.sum())
    rate = float(clicked.sum()) / total if total and clicked.sum() else USUAL_RATE
    a = clicked + PRIOR_SHOWN * rate
    b = np.maximum(shown - clicked, 0) + PRIOR_SHOWN * max(1 - rate, 0.01)
    rounds = rng.beta(a, b, size=(DRAWS, len(shown)))
    wins = np.bincount(rounds.argmax(axis=1), minlength=len(shown)) + 1 / len(shown)
    return np.asarray(wins / math.fsum(wins))
