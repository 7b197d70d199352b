"""Listings as the JSON of DESIGN's example; embedding vectors are never in it."""

from __future__ import annotations

from typing import Any

from ..search.present import result
from ..types import Listing
from .cursors import page_link, public_id


def answer(listing: Listing, *, offset: int = 0, limit: int) -> dict[str, Any]:
    """One page of a listing."""
    more = offset + limit < listing.count
    return {
        "id": public_id(listing.id),
        "took_ms": round(listing.took_ms, 1),
        "encoder": listing.encoder,
        "index": dict(listing.index),
        "query": {"regions": [], "category": None, "stored": False, **listing.query},
        "match": {"level": listing.match.level, "probability": round(listing.match.probability, 3)}
        if listing.match
        else None,
        "count": listing.count,
        "next": page_link(listing.id, offset + limit, limit) if more else None,
        "previous": page_link(listing.id, max(0, offset - limit), limit) if offset else None,
        "results": [result(hit) for hit in listing.hits],
        "facets": dict(listing.facets),
    }


def server_timing(listing: Listing) -> str:
    """The listing's stages as a ``Server-Timing`` header, milliseconds."""
    stages = {**listing.timings, "total": listing.took_ms}
    return ", ".join(f"{name};dur={value:.2f}" for name, value in stages.items())
