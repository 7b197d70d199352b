"""A ranker's measures as tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..recommend.models import RankerRelease
from .forest import Whisker, forest
from .names import word
from .plots import Axis, Line, chart
from .sentences import said

NDCG = "ndcg@10"
SAID_ABOVE = ("until",)  # the release knows it as a time
MEASURES = (
    (NDCG, "NDCG@10"),
    ("recall@20", gettext_lazy("recall@20")),
    ("mrr", "MRR"),
    ("cold_ndcg@10", gettext_lazy("NDCG@10 of products nobody had met")),
    ("coverage", gettext_lazy("share of the catalogue shown in first places")),
    ("novelty", gettext_lazy("novelty, bits")),
)
NAMES = {
    "live": gettext_lazy("the live ranker"),
    "prior": gettext_lazy("the untrained blend"),
    "popularity": gettext_lazy("popularity"),
    "recent_popularity": gettext_lazy("recent popularity"),
    "no_op": gettext_lazy("the order given"),
    "shuffle": gettext_lazy("chance"),
}

KINDS = {
    "neighbours": gettext_lazy("what goes with what was looked at"),
    "text": gettext_lazy("what its text is about"),
    "visual": gettext_lazy("what it looks like"),
    "words": gettext_lazy("words of its title"),
    "popularity": gettext_lazy("popularity"),
    "ctr": gettext_lazy("how often it is clicked when shown"),
    "repeats": gettext_lazy("met before by the visitor"),
    "price": gettext_lazy("price"),
    "category": gettext_lazy("category"),
    "newness": gettext_lazy("newness"),
    "position": gettext_lazy("the shop's own order"),
}


def figures(row: RankerRelease) -> dict[str, Any]:
    """Everything the release's page shows; a measure that is absent leaves its part out."""
    measured = row.metrics
    rows = {str(row): measured, **{str(NAMES[name]): one for name, one in _others(measured)}}
    return {
        "heads": [words for _, words in MEASURES],
        "rows": [
            {"name": name, "ours": name == str(row), "cells": [one.get(key) for key, _ in MEASURES]}
            for name, one in rows.items()
            if one
        ],
        "plot": _plot(rows, str(row)),
        "gains": _gains(measured.get("compared") or {}),
        "kinds": [
            {
                "kind": word(kind),
                "released": kind == row.kind,
                "ndcg": one.get(NDCG),
                "seconds": one.get("seconds"),
            }
            for kind, one in (measured.get("kinds") or {}).items()
        ],
        "test": measured.get("test") or {},
        "weighs": _weighs(measured.get("weighs") or {}),
        "off_policy": _off_policy(measured.get("off_policy") or {}),
        "data": [(word(name), value) for name, value in row.data.items() if name not in SAID_ABOVE],
        "looked": _looked(measured.get("looked") or []),
        "versions": sorted((row.versions or {}).items()),
    }


def _off_policy(found: Mapping[str, Any]) -> dict[str, Any]:
    return {**found, "refused": said(found.get("refused") or "")}


def _others(measured: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    rows = measured.get("rows") or {}
    return [(name, rows[name]) for name in NAMES if name in rows]


def _plot(rows: Mapping[str, Mapping[str, Any]], ours: str) -> SafeString:
    whiskers = []
    for name, one in rows.items():
        if isinstance(one.get(NDCG), (int, float)):
            low, high = one.get(f"{NDCG}_interval") or (None, None)
            whiskers.append(Whisker(name, one[NDCG], low, high, f"{one[NDCG]:.3f}", name == ours))
    return forest(whiskers, _("NDCG@10 of each order on the same listings, with 95 % intervals"))


def _gains(compared: Mapping[str, Mapping[str, float]]) -> SafeString:
    rows = [
        Whisker(str(NAMES.get(name, name)), one["gain"], one["low"], one["high"], f"{one['gain']:+.3f}")
        for name, one in compared.items()
    ]
    return forest(rows, _("Gain in NDCG@10 over each other order, with 95 % intervals"), guide=0.0)


def _weighs(kinds: Mapping[str, Mapping[str, float]]) -> SafeString:
    rows = [
        Whisker(str(KINDS.get(name, name)), one["lost"], one["low"], one["high"], f"{one['lost']:+.3f}")
        for name, one in kinds.items()
    ]
    return forest(rows, _("NDCG@10 lost without each kind of feature, with 95 % intervals"), guide=0.0)


def _looked(shares: Sequence[float]) -> SafeString:
    points = [(float(place), share) for place, share in enumerate(shares, 1)]
    if len(points) < 2:
        return SafeString()
    return chart(
        [Line(points, dots=True)],
        Axis(_("position"), low=1, high=float(len(points)), percent=False),
        Axis(_("how likely it is looked at")),
        _("How likely each position is looked at, relative to the likeliest"),
    )
