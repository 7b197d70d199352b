"""Retrieve candidate products for a visitor from the whole shop."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np

from .. import metrics
from ..catalogue.field_paths import with_keys
from ..catalogue.models import CatalogueEntry
from ..exceptions import ShopvisionError
from ..indexing.encoder_releases import at_hand
from ..types import Filter, ProductRef
from .item_model.model import Knowledge
from .popularity import lately
from .product_features import shelf_of

ANCHORS = 4  # latest products whose like are looked for
ALIKE = 40  # products that look like one of them
GOING_WITH = 24  # neighbours of a kind of one product
POPULAR = 60
NEWEST = 24
IN_STOCK = Filter(in_stock=True)


def for_visitor(liked: Sequence[ProductRef], knowledge: Knowledge, *, until: float) -> list[ProductRef]:
    """What looks like, or goes with, the latest products; what is popular; what came last. Each once.

    Args:
        until: as ``looking_like`` takes it.
    """
    anchors = list(dict.fromkeys(liked))[:ANCHORS]
    found = [
        *looking_like(anchors, until=until),
        *going_with(anchors, knowledge),
        *popular(knowledge),
        *newest(),
    ]
    return list(dict.fromkeys(found))


def looking_like(anchors: Sequence[ProductRef], *, until: float) -> list[ProductRef]:
    """Products in stock whose photos look like those of some products, nearest first for each in turn.

    Args:
        until: ``perf_counter()`` after which only what was found so far counts; the first is always looked for.
    """
    live = at_hand()
    looks = shelf_of(anchors, live).looks if anchors and live is not None else None
    if live is None or looks is None:
        return []
    entries: list[int] = []
    try:
        for vector in looks[looks.any(axis=1)]:
            if entries and time.perf_counter() > until:
                metrics.count("recall_cut_short")
                break
            entries += live.index.query(
                vector, ALIKE, where=IN_STOCK, digest=live.row.digest
            ).products.tolist()
    except ShopvisionError as error:
        metrics.count("recall_failed")
        metrics.log.warning("products that look alike could not be found: %s", error)
    rows = with_keys(CatalogueEntry.objects.order_by(), sorted(set(entries)))
    known = {row[0]: ProductRef(row[1], row[2]) for row in rows.values_list("pk", "source", "object_id")}
    return [known[entry] for entry in dict.fromkeys(entries) if entry in known]


def going_with(
    anchors: Iterable[ProductRef],
    knowledge: Knowledge,
    signals: Sequence[str] = ("next", "after", "together", "ease"),
) -> list[ProductRef]:
    """What the knowledge says goes with some products, heaviest first for each kind and product."""
    numbers = knowledge.numbers(map(str, anchors))
    found: list[ProductRef] = []
    for name in signals:
        lists = knowledge.neighbours.get(name)
        if lists is None:
            continue
        for number in numbers[numbers >= 0].tolist():
            ids = lists.ids[number][:GOING_WITH]
            found += [ProductRef.parse(knowledge.items[one]) for one in ids[ids >= 0].tolist()]
    return found


def popular(knowledge: Knowledge) -> list[ProductRef]:
    """With the most acts lately: counted live, and as the knowledge has them."""
    live = lately()
    found = [ref for ref in sorted(live, key=lambda ref: -live[ref].acts)[:POPULAR] if live[ref].acts > 0]
    column = knowledge.columns.get("recent")
    if column is not None:
        best = np.argsort(-column, kind="stable")[:POPULAR]
        found += [knowledge.items[one] for one in best.tolist() if column[one] > 0]
    return [ProductRef.parse(ref) for ref in found]


def newest() -> list[ProductRef]:
    """The products in stock that came last."""
    rows = CatalogueEntry.objects.filter(in_stock=True).order_by("-pk")
    return [ProductRef(*pair) for pair in rows.values_list("source", "object_id")[:NEWEST]]
