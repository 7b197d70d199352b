"""Serving: the knowledge and the ranker that this process ranks with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from django.utils.module_loading import import_string

from .. import conf
from .knowledge import NOTHING, Knowledge
from .ranker import PriorRanker, Ranker

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Serving:
    """What listings are ranked with.

    Args:
        name: another one when anything in it has changed.
        ours: the ranker is one of ours, known to be quick; others are waited for no longer than there is time.
    """

    knowledge: Knowledge
    ranker: Ranker
    name: str
    ours: bool = True


BEFORE_TRAINING = Serving(NOTHING, PriorRanker(), "prior")


def current() -> Serving:
    """The ranker that RANKING asks for; before one was trained, a blend that is sensible from the first click."""
    wanted = conf.RANKING["ranker"]
    if wanted == AUTO:
        return BEFORE_TRAINING
    return Serving(NOTHING, _loaded(wanted), wanted, ours=False)


@lru_cache(maxsize=4)
def _loaded(path: str) -> Ranker:
    found: Ranker = import_string(path)()
    return found
