"""Promotion gate of rankers: paired comparison with the live ranker and references."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...evaluation.bootstrap import mean_interval
from ...messages import Message
from .ranker_evaluation import Outcome, mean

TOLERANCE = 0.005  # NDCG that a candidate may lose to noise against the live ranker: it knows newer acts
LEAST_LISTINGS, LEAST_SUBJECTS = 50, 20  # judged by; fewer say nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate decided, and why, in words.

    Args:
        compared: by the other's name, the gain in NDCG@10 with its interval.
    """

    promote: bool
    reason: Message
    compared: dict[str, Any]


def gate(
    ours: Outcome, others: Mapping[str, Outcome], subjects: np.ndarray, weights: np.ndarray, *, live: str
) -> Verdict:
    """Promote if it is no worse than what ranks now, and better than popularity, chance and the order given.

    All are judged on the same listings, later than anything the candidate was trained on. The difference is
    bootstrapped over subjects.

    Args:
        others: by name; ``live`` is what ranks now.
        subjects: whose each listing was. weights: how much its answer counts, against position bias.
        live: its key: ``live``, or ``prior`` (the untrained blend) while nothing was trained.
    """
    count, people = len(ours.ndcg), len(np.unique(subjects))
    if count < LEAST_LISTINGS or people < LEAST_SUBJECTS:
        few = {
            "listings": count,
            "visitors": people,
            "least": LEAST_LISTINGS,
            "least_visitors": LEAST_SUBJECTS,
        }
        return Verdict(False, Message("too_few_listings_to_judge", few), {})
    compared = {name: _gain(ours.ndcg - other.ndcg, subjects, weights) for name, other in others.items()}
    found = compared[live]
    means = [mean(one.ndcg, weights) for one in (ours, others[live])]
    why = Message(
        "compared_rankers",
        {
            "ours": f"{means[0]:.3f}",
            "theirs": f"{means[1]:.3f}",
            "what": Message(f"order_{live}"),
            "listings": count,
            "gain": f"{found['gain']:+.3f}",
            "low": f"{found['low']:+.3f}",
            "high": f"{found['high']:+.3f}",
        },
    )
    if found["high"] < 0 or found["gain"] < (0 if live == "prior" else -TOLERANCE):
        return Verdict(False, Message("worse", {"why": why}), compared)
    for name in REFERENCES:
        if name in compared and name != live and compared[name]["gain"] <= 0:
            gain = f"{compared[name]['gain']:+.3f}"
            no_better = Message(
                "no_better_than", {"what": Message(f"order_{name}"), "gain": gain, "why": why}
            )
            return Verdict(False, no_better, compared)
    return Verdict(True, Message("better" if found["low"] > 0 else "no_worse", {"why": why}), compared)


REFERENCES = ("live", "prior", "popularity", "shuffle", "no_op")
"""Orders a candidate must beat, in this order; each has a message ``order_<name>``."""


def _gain(gain: np.ndarray, subjects: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    low, high = mean_interval(gain, subjects, weights=weights)
    return {"gain": round(mean(gain, weights), 4), "low": round(low, 4), "high": round(high, 4)}
