"""Photo search as a page of the shop: works without JavaScript, and every other client can link to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.parsers import MultiPartParser
from rest_framework.renderers import TemplateHTMLRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from ... import behaviour, listings
from ...exceptions import InvalidRequest
from ...types import Listing
from ..answers import answer
from ..errors import answer_error
from ..serializers import SearchRequest
from ..throttles import SearchThrottle, search_slot
from .base import PublicView, checked
from .search import product_ref

TEMPLATE = "shopvision/results.html"
LIMIT = 24


class PhotoPage(PublicView):
    """A form, and below it what was found."""

    throttle_classes = (SearchThrottle,)
    parser_classes = (MultiPartParser,)
    renderer_classes = (TemplateHTMLRenderer,)
    schema = None

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        """The API's errors, said on the page."""
        return _on_the_page

    def get(self, request: Request) -> Response:
        """The empty form; or with ``?product=`` what looks like that product."""
        if "product" not in request.query_params:
            return Response({}, template_name=TEMPLATE)
        ref = product_ref(request.query_params["product"])
        return _page(request, listings.similar_products(ref, limit=LIMIT, context=request._request))

    def post(self, request: Request) -> Response:
        """What looks like the photo."""
        given = checked(SearchRequest, request.data).validated_data
        if "image" not in given:
            raise InvalidRequest("choose a photo first", code="empty")
        with search_slot():
            found = listings.search_by_photo(
                given["image"], text=given["text"], limit=LIMIT, context=request._request
            )
        behaviour.record(request, "photo_search", listing=found.id, text=given["text"])
        return _page(request, found)


def _page(request: Request, found: Listing) -> Response:
    shown = behaviour.record_listing(request, found.hits, listing=found.id)
    context = {"listing": answer(found, limit=LIMIT), "searched": True, "shown": shown}
    return Response(context, template_name=TEMPLATE, headers={"Cache-Control": "no-store"})


def _on_the_page(error: Exception, context: dict[str, Any]) -> Response | None:
    response = answer_error(error, context)
    if response is not None:
        response.data = {"error": response.data, "searched": True}
        response.template_name = TEMPLATE
    return response
