"""The photo search page of the shop, usable without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.http import QueryDict
from django.utils.http import urlencode
from rest_framework.exceptions import APIException
from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle

from ... import listings
from ...events import tracking
from ...exceptions import InvalidRequest
from ...search.answers import answer
from ...search.search_cursors import cursor, public_id, read_cursor, search_id
from ...types import Listing
from ..errors import answer_error
from ..serializers import SearchRequest, SimilarRequest
from ..throttles import BrowseThrottle, SearchThrottle
from .base import PublicView, checked
from .search import photo_search, product_ref

TEMPLATE = "shopvision/results.html"
LIMIT = 24
ASKS = {"search", "product"}  # parameters of an address that asks for products
MOST_CHOICES = 20  # values of a filter that a shopper can look over


class PageRenderer(TemplateHTMLRenderer):
    """Says what went wrong on the page itself; DRF would answer with a bare line, or the shop's page for 404."""

    def get_exception_template(self, response: Any) -> Any:
        """The page."""
        return self.resolve_template([TEMPLATE])


class PhotoPage(PublicView):
    """A form, and below it what was found."""

    parser_classes = (MultiPartParser,)
    renderer_classes = (PageRenderer,)
    schema = None

    def get_throttles(self) -> list[BaseThrottle]:
        """A photo is counted as a photo search, a page of products as browsing, the empty form not at all."""
        if self.request.method == "POST":
            return [SearchThrottle()]
        return [BrowseThrottle()] if ASKS & set(self.request.GET) else []

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        """The API's errors, said on the page."""
        return _on_the_page

    def get(self, request: Request) -> Response:
        """The empty form; with ``?product=`` what looks like it; with ``?search=`` and ``?cursor=`` a further page."""
        given = request.query_params
        if "search" in given:
            return self._further(request, given["search"], given.get("cursor", ""))
        if "product" not in given:
            return Response({}, template_name=TEMPLATE)
        asked = checked(SimilarRequest, _filled(given))
        ref = product_ref(given["product"])
        found = listings.similar_products(
            ref,
            text=asked.validated_data["text"],
            where=asked.where(),
            limit=LIMIT,
            context=request._request,
        )
        return _page(request, found, given, 0, LIMIT)

    def post(self, request: Request) -> Response:
        """What looks like the photo."""
        filled = _filled(request.data)
        if "image" not in filled:
            raise InvalidRequest("photo_missing", code="empty")
        found = photo_search(request, checked(SearchRequest, filled), LIMIT)
        return _page(request, found, request.data, 0, LIMIT)

    def _further(self, request: Request, public: str, place: str) -> Response:
        search = search_id(public)
        offset, limit = read_cursor(search, place)
        found = listings.stored_page(search, offset=offset, limit=limit, context=request._request)
        return _page(request, found, {}, offset, limit)


def _filled(given: Any) -> Any:
    """A form's fields without those left empty: to a form, empty means "do not care"."""
    kept = QueryDict(mutable=True)
    for name, values in given.lists():
        if filled := [value for value in values if value != ""]:
            kept.setlist(name, filled)
    return kept


def _page(request: Request, found: Listing, given: Any, offset: int, limit: int) -> Response:
    listing = answer(found, offset=offset, limit=limit)
    context = {
        "listing": listing,
        "searched": True,
        "shown": tracking.record_listing(request, found.hits, start=offset, listing=found.id),
        "given": given,
        "choices": _choices(listing["facets"], given),
        "next": _link(found.id, offset + limit, limit) if listing["next"] else "",
        "previous": _link(found.id, max(0, offset - limit), limit) if listing["previous"] else "",
    }
    return Response(context, template_name=TEMPLATE, headers={"Cache-Control": "no-store"})


def _link(search: str, offset: int, limit: int) -> str:
    """A page of the search, as a page."""
    return f"?{urlencode({'search': public_id(search), 'cursor': cursor(search, offset, limit)})}"


def _choices(facets: Mapping[str, Any], given: Any) -> list[dict[str, Any]]:
    """What the answer can be narrowed to: a select of the form for the category and for each short filter."""
    chosen = {*given.getlist("category"), *given.getlist("filters")} if given else set()
    found = []
    for name, rows in facets.items():
        if not 1 <= len(rows) <= MOST_CHOICES:
            continue
        field, prefix = ("category", "") if name == "category" else ("filters", f"{name}=")
        options = [{"value": prefix + row["id"], "words": f"{row['name']} ({row['count']})"} for row in rows]
        marked = [{**one, "chosen": one["value"] in chosen} for one in options]
        found.append({"field": field, "words": name.replace("__", " ").replace("_", " "), "options": marked})
    return found


def _on_the_page(error: Exception, context: dict[str, Any]) -> Response | None:
    response = answer_error(error, context)
    if response is not None:
        response.data = {"error": response.data, "searched": True, "given": _given(context["request"])}
    return response


def _given(request: Request) -> Any:
    """What the form was sent with, to fill it again; nothing where that cannot be read."""
    try:
        return request.data if request.method == "POST" else request.query_params
    except APIException:
        return {}
