"""Serialise listings as plain values for REST, pages and agents."""

from __future__ import annotations

from typing import Any

from ..types import Hit, Listing
from .search_cursors import page_link, public_id


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


def result(hit: Hit) -> dict[str, Any]:
    """A hit as plain values, as the API and the templates show it."""
    price = hit.facts.get("price")
    return {
        "product": str(hit.product),
        "url": hit.facts.get("url") or "",
        "title": hit.facts.get("title") or "",
        "image": hit.facts.get("image") or None,
        "price": None if price is None else str(price),
        "in_stock": bool(hit.facts.get("in_stock", True)),
        "similarity": round(hit.similarity, 4),
        "percentile": None if hit.percentile is None else round(hit.percentile, 1),
        "why": list(hit.why),
        "region": list(hit.region.box()) if hit.region else None,
    }
