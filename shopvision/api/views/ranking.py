"""Re-rank a listing, and recommendations for a placement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.cache import add_never_cache_headers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from ... import listings
from ...events import tracking
from ...exceptions import ImageRejected, InvalidRequest
from ...search.answers import result
from ...types import Hit
from ..schema import described, errors
from ..serializers import no_such
from ..serializers_ranking import RecommendationsAnswer, RecommendationsRequest, RerankAnswer, RerankRequest
from ..uploads import SmallJSONParser
from .base import PublicView, checked

LISTING_BYTES = 512 * 2**10  # MOST_WINDOW references of MOST_REF characters, and some air
SHOWN = ("product", "url", "title", "image", "price", "in_stock", "why")


class ListingJSONParser(SmallJSONParser):
    """JSON of a whole listing's references."""

    def limit(self) -> int:
        """Most bytes of a body."""
        return LISTING_BYTES

    def too_large(self) -> ImageRejected:
        """What is said of a larger one."""
        return ImageRejected("too_large", "listing_body_over_limit", listing_bytes=f"{LISTING_BYTES:,}")


class PersonalView(PublicView):
    """Depends on who asks: no cache keeps it."""

    parser_classes: Sequence[type[BaseParser]] = (ListingJSONParser,)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """The response with headers that say so."""
        response = super().finalize_response(request, response, *args, **kwargs)
        add_never_cache_headers(response)
        return response


class RerankView(PersonalView):
    """A listing of the shop's, re-ordered."""

    @described(
        operation_id="rerank",
        request=RerankRequest,
        responses={200: RerankAnswer, **errors(400, 413, 415, 429)},
    )
    def post(self, request: Request) -> Response:
        """The products given, each once, in the order this visitor sees; in the given order where anything fails."""
        given = checked(RerankRequest, request.data).validated_data
        plain = request._request
        found = listings.personalised_listing(given["products"], request=plain, limit=given.get("limit"))
        shown = found.hits[: given["shown"]]
        if shown:
            tracking.record_listing(plain, shown, listing=found.id, propensities=_odds(found, len(shown)))
        before = {product: place for place, product in enumerate(given["products"])}
        results = [
            {
                "product": str(hit.product),
                "position": place,
                "before": before[hit.product],
                "why": list(hit.why),
            }
            for place, hit in enumerate(found.hits)
        ]
        return Response(
            {
                "id": found.id,
                "took_ms": round(found.took_ms, 1),
                "ranked": bool(found.query["ranked"]),
                "count": found.count,
                "results": results,
            }
        )


class RecommendationsView(PersonalView):
    """A strip of products."""

    @described(
        operation_id="recommendations",
        parameters=[RecommendationsRequest],
        responses={200: RecommendationsAnswer, **errors(400, 429, 503)},
    )
    def get(self, request: Request) -> Response:
        """Products of a placement; what is answered is recorded as impressions."""
        given = checked(RecommendationsRequest, request.query_params).validated_data
        if given["placement"] not in listings.PLACEMENTS:
            raise InvalidRequest(
                "unknown_placement_choice",
                code="unknown_placement",
                no_such=no_such(given["placement"], listings.PLACEMENTS),
            )
        plain = request._request
        found = listings.recommended(
            given["placement"], request=plain, product=given.get("product"), limit=given["limit"]
        )
        tracking.record_listing(
            plain, found.hits, listing=found.id, propensities=_odds(found, len(found.hits))
        )
        return Response(
            {
                "id": found.id.replace("-", ""),
                "took_ms": round(found.took_ms, 1),
                "placement": found.query["placement"],
                "title": found.query["title"],
                "product": found.query["product"],
                "count": found.count,
                "results": [_strip(hit) for hit in found.hits],
            }
        )


def _odds(found: Any, count: int) -> Sequence[float | None] | None:
    return found.ordering.propensities[:count] if found.ordering is not None else None


def _strip(hit: Hit) -> dict[str, Any]:
    full = result(hit)
    return {name: full[name] for name in SHOWN}
