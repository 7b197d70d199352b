"""The ranker and item model that this process serves, refreshed in the background."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from django.utils.module_loading import import_string

from .. import conf, metrics
from ..exceptions import ShopvisionError
from ..messages import Message
from ..threads import Glance
from . import ranker_releases
from .item_model.model import NOTHING, Knowledge
from .models import Experiment, KnowledgeSnapshot, RankerRelease
from .rankers.base import PriorRanker, Ranker

AUTO = "auto"
REFRESH_SECONDS = 5.0
BROKEN_SECONDS = 60.0  # until a file that could not be read is tried again


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


@dataclass(frozen=True, slots=True)
class Kept:
    """What this process last knew.

    Args:
        live: by RANKING['ranker'] 'auto'.
        experiment: that runs, or None.
        candidate: what its candidate arm is ranked with, or None.
        problem: why the untrained blend stands in for a release that is live; empty where it does not.
    """

    live: Serving = BEFORE_TRAINING
    experiment: Experiment | None = None
    candidate: Serving | None = None
    problem: tuple[Message, ...] = ()


class _Opened:
    """The knowledge and the rankers that this process has open."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Have nothing open."""
        self._knowledge: tuple[str, Knowledge] = ("", NOTHING)
        self._rankers: dict[str, Ranker] = {}

    def newest(self) -> Kept:
        """What is newest by the database; what is open already is not read again."""
        problems: list[Message] = []
        known = self._known(ranker_releases.newest_knowledge(), problems)
        row = ranker_releases.live()
        live = self._serving(known, row, problems) or Serving(
            known[1], BEFORE_TRAINING.ranker, f"{known[0][:12]} prior"
        )
        running = (
            Experiment.objects.filter(state=Experiment.State.RUNNING).select_related("candidate").first()
        )
        tried = running.candidate if running else None
        candidate = self._serving(known, tried, problems)
        self._rankers = {
            one.digest: self._rankers[one.digest]
            for one in (row, tried)
            if one and one.digest in self._rankers
        }
        return Kept(live, running, candidate, tuple(problems))

    def _known(self, row: KnowledgeSnapshot | None, problems: list[Message]) -> tuple[str, Knowledge]:
        if row is not None and row.digest != self._knowledge[0]:
            try:
                self._knowledge = (row.digest, ranker_releases.open_knowledge(row))
            except ShopvisionError as error:
                _report(error.message, problems)
        return self._knowledge

    def _serving(
        self, known: tuple[str, Knowledge], row: RankerRelease | None, problems: list[Message]
    ) -> Serving | None:
        if row is None:
            return None
        try:
            if row.digest not in self._rankers:
                self._rankers[row.digest] = ranker_releases.open_ranker(row)
        except ShopvisionError as error:
            _report(error.message, problems)
            return None
        return Serving(known[1], self._rankers[row.digest], f"{known[0][:12]} {row}")


def _report(problem: Message, problems: list[Message]) -> None:
    problems.append(problem)
    metrics.count("ranker_broken")
    metrics.log.error("listings are ranked without it: %s", problem)


_opened = _Opened()
_glance = Glance[Kept](
    "shopvision-serving",
    Kept(),
    _opened.newest,
    lambda kept: BROKEN_SECONDS if kept.problem else REFRESH_SECONDS,
    ("serving_failed", "the newest ranker could not be looked up"),
)


def kept() -> Kept:
    """What this process knows of rankers and experiments, as of a few seconds ago."""
    return _glance.look()


def current() -> Serving:
    """The ranker that RANKING asks for; before one was trained, a blend that is sensible from the first click."""
    wanted = conf.backend(conf.RANKING["ranker"])
    live = kept().live
    if wanted.path == AUTO:
        return live
    ranker = _loaded(wanted.path, json.dumps(wanted.options, sort_keys=True, default=repr))
    return Serving(live.knowledge, ranker, f"{live.name} {wanted.path}", ours=False)


def forget() -> None:
    """Look anew at the next call."""
    _opened.forget()
    _glance.forget()


@lru_cache(maxsize=4)
def _loaded(path: str, options: str) -> Ranker:
    """The shop's own ranker; made anew where its options, as JSON, change."""
    found: Ranker = import_string(path)(**conf.backend(conf.RANKING["ranker"]).options)
    return found
