"""Search by photo or product, pages of a stored search, similar products."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from ... import conf, listings
from ...events import tracking
from ...exceptions import InvalidRequest
from ...search.answers import answer, server_timing
from ...search.search_cursors import read_cursor, search_id
from ...types import Listing, ProductRef
from ..schema import SEARCH_BODY, described, errors
from ..serializers import DEFAULT_RESULTS, ListingAnswer, PageRequest, SearchRequest, SimilarRequest
from ..throttles import SearchThrottle, search_slot
from .base import PublicView, checked

ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="`id` of a search's answer")
REF = OpenApiParameter(
    "ref", str, OpenApiParameter.PATH, description="app.model:key, as in `shop.product:482`"
)


class SearchView(PublicView):
    """Find products by a photo, or by one of the shop's own products."""

    throttle_classes = (SearchThrottle,)

    @described(
        operation_id="search",
        request=SEARCH_BODY,
        responses={200: ListingAnswer, **errors(400, 404, 413, 415, 422, 429, 503)},
    )
    def post(self, request: Request) -> Response:
        """Products that look like the photo, best first; the photo is decoded in memory and dropped."""
        asked = checked(SearchRequest, request.data)
        given = asked.validated_data
        limit = given["limit"]
        if "product" in given:
            found = listings.similar_products(
                given["product"],
                text=given["text"],
                where=asked.where(),
                limit=limit,
                context=request._request,
            )
            return respond(found, limit)
        return respond(photo_search(request, asked, limit), limit)


def photo_search(request: Request, asked: SearchRequest, limit: int) -> Listing:
    """Search by the photo that was sent, within the bounds of this process, and record the search."""
    given = asked.validated_data
    with search_slot():
        found = listings.search_by_photo(
            given["image"],
            region=given.get("crop"),
            text=given["text"],
            where=asked.where(),
            limit=limit,
            context=request._request,
        )
    tracking.record(request, "photo_search", listing=found.id, text=given["text"])
    return found


class StoredSearchView(PublicView):
    """Further pages of a search."""

    @described(
        operation_id="search_page",
        parameters=[ID, PageRequest],
        responses={200: ListingAnswer, **errors(400, 404, 429, 503)},
    )
    def get(self, request: Request, id: str) -> Response:
        """A page; without a cursor, the first. Products that have been hidden since are left out."""
        search = search_id(id)
        asked = checked(PageRequest, request.query_params).validated_data
        offset, limit = 0, min(DEFAULT_RESULTS, conf.SEARCH_MAX_RESULTS)
        if "cursor" in asked:
            offset, limit = read_cursor(search, asked["cursor"])
        found = listings.stored_page(search, offset=offset, limit=limit, context=request._request)
        return respond(found, limit, offset)

    @described(operation_id="search_forget", parameters=[ID], responses={204: None, **errors(404, 429, 503)})
    def delete(self, request: Request, id: str) -> Response:
        """Forget the search; its id stops working."""
        listings.forget(search_id(id))
        return Response(status=204)


class SimilarView(PublicView):
    """Products that look like one of the shop's."""

    @described(
        operation_id="similar_products",
        parameters=[REF, SimilarRequest],
        responses={200: ListingAnswer, **errors(400, 404, 429, 503)},
    )
    def get(self, request: Request, ref: str) -> Response:
        """Similar products, most alike first; with `alternatives`, what to buy instead of it."""
        asked = checked(SimilarRequest, request.query_params)
        given = asked.validated_data
        found = listings.similar_products(
            product_ref(ref),
            text=given["text"],
            where=asked.where(),
            limit=given["limit"],
            context=request._request,
            alternatives=given["alternatives"],
        )
        return respond(found, given["limit"])


def respond(found: Listing, limit: int, offset: int = 0) -> Response:
    """A listing as a response that no cache keeps: it holds prices, and may depend on who asks."""
    headers = {"Server-Timing": server_timing(found), "Cache-Control": "no-store"}
    return Response(answer(found, offset=offset, limit=limit), headers=headers)


def product_ref(ref: str) -> ProductRef:
    """Read a reference out of a request.

    Raises:
        InvalidRequest: it names no product (code ``not_found``).
    """
    try:
        if "\0" in ref:
            raise ValueError(f"{ref!r} holds a null character")
        return ProductRef.parse(ref)
    except ValueError as error:
        raise InvalidRequest("product_reference_unreadable", code="not_found", error=error) from error
