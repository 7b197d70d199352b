"""Jobs and periodic work of ranking: train a ranker, refresh the item model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .. import conf, jobs
from ..catalogue.models import CatalogueEntry
from ..events.models import Event
from ..indexing import encoder_releases as encoders
from ..messages import Message
from ..types import Step
from .item_model.refresh import refresh
from .training import ranker_retraining
from .training.ranker_training import training

EVENTS_PER_SECOND = 20_000.0  # read and added up, on two cores
PRODUCTS_PER_SECOND = 5_000.0
TRAIN_EVENTS_PER_SECOND = 5_000.0


def train_ranker(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Train a ranker; the gate decides whether it goes live.

    Args:
        params: ``kind``, ``seed``, ``force``; all may be left out.
        cursor: not used; a training that was stopped begins anew.
    """
    steps = training(
        kind=params.get("kind") or "auto",
        seed=params.get("seed") or 0,
        force=bool(params.get("force")),
        torch=encoders.torch_allowed(),
    )
    row = yield from Step.told(steps)
    yield Step(
        done=1,
        message=Message("release_state", {"release": row, "state": row.state}),
        result={"release": row.pk, "state": row.state, "reason": row.reason},
    )


def estimate_train(params: Mapping[str, Any]) -> dict[str, Any]:
    """Events, and seconds a training would take."""
    return _estimate(TRAIN_EVENTS_PER_SECOND)


def refresh_knowledge(params: Mapping[str, Any], cursor: Mapping[str, Any]) -> Iterator[Step]:
    """Build the knowledge anew and let it serve."""
    yield Step(message=Message("building_item_model"))
    row = refresh()
    yield Step(
        done=1,
        message=Message("item_model_built", {"model": row}),
        result={"knowledge": row.pk, **row.data},
    )


def estimate_refresh(params: Mapping[str, Any]) -> dict[str, Any]:
    """Events, and seconds a refresh would take."""
    return _estimate(EVENTS_PER_SECOND)


def _estimate(per_second: float) -> dict[str, Any]:
    events, products = Event.objects.count(), CatalogueEntry.objects.count()
    seconds = 1 + events / per_second + products / PRODUCTS_PER_SECOND
    return {
        "images": 0,
        "seconds": round(seconds, 1),
        "basis": Message(
            "basis_events_and_products",
            {
                "events": events,
                "rate": f"{per_second:.0f}",
                "products": products,
                "products_rate": f"{PRODUCTS_PER_SECOND:.0f}",
            },
        ),
    }


jobs.register(
    "train_ranker",
    steps=train_ranker,
    estimate=estimate_train,
    words="Train a ranker on what was chosen",
    queue="gpu",
    permission="shopvision.train_ranker",
    release="rankerrelease",
)
jobs.register(
    "refresh_knowledge",
    steps=refresh_knowledge,
    estimate=estimate_refresh,
    words="Learn what goes with what",
    permission="shopvision.train_ranker",
)
jobs.every("retrain_rankers", seconds=lambda: conf.RECONCILE_SECONDS, run=ranker_retraining.start_due)
