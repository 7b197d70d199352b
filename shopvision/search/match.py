"""Match decision: does the shop sell what a photo shows; similarity percentiles."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ..classifiers.base import sigmoid
from ..tuning.background import LEVELS
from ..types import Match

RIVALS = 10  # nearest products among which one of another kind is looked for
STRONG, WEAK = 0.75, 0.4  # probability that the shop sells it, from which a match is called so
SELDOM = 0.69  # ln 2: strangers expected to come as near by chance, for even odds that not one does
CROWD = (
    100  # products counted at most: in a large shop the likest pairs are copies and variants, not strangers
)
NARROWEST = (
    0.05  # least distance from the nearest strangers to the same photo: where copies are taken for them
)
UNKNOWN = 0.8  # nearest strangers of a shop that has no background yet, and so no release of its own
NEARNESS, LEAD, USUAL_LEAD = 4.0, 2.5, 0.5
"""Logits of the way from the nearest strangers to the same photo, and of a lead as long; the lead at even odds."""


def percentiles(similarities: Sequence[float], quantiles: Sequence[float]) -> list[float | None]:
    """Share (0-100) of unrelated pairs that are less alike than each; None without a background."""
    if not quantiles:
        return [None] * len(similarities)
    return list(np.interp(similarities, quantiles, LEVELS).tolist())


def nearest_stranger(record: Mapping[str, Any]) -> float:
    """The similarity at which ``SELDOM`` products are as near by chance."""
    if not record.get("quantiles"):
        return UNKNOWN
    share = 100 - 100 * SELDOM / max(1, min(record.get("products", CROWD), CROWD))
    return float(min(np.interp(share, LEVELS, record["quantiles"]), 1 - NARROWEST))


def lead(similarities: Sequence[float], kinds: Sequence[Collection[str]]) -> float:
    """How far the best is ahead of the first product that shares no category with it, [0, 2].

    Of the first ``RIVALS``; where all are of its kind, of the last of them; a product without a category is of
    no other's kind. The best alone is ahead of nothing, 0.

    Args:
        similarities: of the nearest products, best first. kinds: the categories of each.
    """
    others = zip(similarities[1:RIVALS], kinds[1:RIVALS], strict=True)
    rival = next((s for s, kind in others if not set(kind) & set(kinds[0])), similarities[:RIVALS][-1])
    return float(similarities[0] - rival)


def decide(
    similarities: Sequence[float], kinds: Sequence[Collection[str]], record: Mapping[str, Any]
) -> Match:
    """Strong, weak or no match, with the probability that the shop sells it; nothing found is no match.

    The threshold lies where a stranger would come as near by chance. While nothing is fitted to the shop's own
    photos, or most products have one, studio photos of different things may be liker than a shopper's photo of the
    same thing: no match is then called weak at least.

    Args:
        similarities: of the nearest products, best first. kinds: the categories of each.
        record: ``EncoderRelease.background``: ``quantiles``, ``products`` and ``fitted``.
    """
    if not len(similarities):
        return Match("none", 0.0)
    stranger = nearest_stranger(record)
    way = 1 - stranger
    logit = NEARNESS * (similarities[0] - stranger) / way + LEAD * (
        lead(similarities, kinds) / way - USUAL_LEAD
    )
    probability = float(sigmoid(np.array(logit + np.log(WEAK / (1 - WEAK)))))
    level = "strong" if probability >= STRONG else "weak" if probability >= WEAK else "none"
    return Match("weak" if level == "none" and not record.get("fitted") else level, probability)
