"""Base classes of the API views, independent of the shop's DRF settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from ..authentication import ShopSession, staff_authenticators, writing_authenticators
from ..errors import answer_error
from ..permissions import Holds
from ..throttles import BrowseThrottle, StaffThrottle
from ..uploads import CappedJSONParser, admit_body

Asked = TypeVar("Asked", bound="Serializer[Any]")


class AlwaysJSON(BaseContentNegotiation):
    """One representation: no 406, and no ``?format=`` of DRF's."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """The parser of the request's content type."""
        media = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """JSON."""
        first = next(iter(renderers))
        return first, str(first.media_type)


class PublicView(APIView):
    """Anyone may ask, so often; answers and errors are JSON."""

    authentication_classes: Sequence[type[BaseAuthentication]] = (ShopSession,)
    permission_classes: Sequence[Any] = (AllowAny,)
    throttle_classes: Sequence[type[BaseThrottle]] = (BrowseThrottle,)
    parser_classes: Sequence[type[BaseParser]] = (MultiPartParser, CappedJSONParser)
    renderer_classes: Sequence[type[BaseRenderer]] = (JSONRenderer,)
    content_negotiation_class = AlwaysJSON
    versioning_class = None
    metadata_class = None
    schema: Any = AutoSchema()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Permission and rate first, then the size of what is to come."""
        super().initial(request, *args, **kwargs)
        admit_body(request)

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response | None]:
        """Ours, not the one in the shop's settings."""
        return answer_error


class WorkView(PublicView):
    """People who work in the shop: each method takes one of the permissions that ``needs`` names for it."""

    needs: Mapping[str, Sequence[str]] = {}
    permission_classes = (Holds,)
    throttle_classes: Sequence[type[BaseThrottle]] = (StaffThrottle,)

    def get_authenticators(self) -> list[BaseAuthentication]:
        """The session, checked for forgery where something changes; or the shop's own tokens."""
        method = getattr(self.request, "method", "") if hasattr(self, "request") else ""
        return staff_authenticators() if method in SAFE_METHODS else writing_authenticators()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """The size first here: the forgery check reads a form's body, under our limits."""
        admit_body(request)
        super().initial(request, *args, **kwargs)


class ProbeView(PublicView):
    """For load balancers: nobody is asked who they are, and none is turned away."""

    authentication_classes = ()
    throttle_classes = ()


def checked(kind: type[Asked], data: Any) -> Asked:
    """The request's serializer, valid.

    Raises:
        ValidationError: what is wrong, field by field.
    """
    asked = kind(data=data)
    asked.is_valid(raise_exception=True)
    return asked
