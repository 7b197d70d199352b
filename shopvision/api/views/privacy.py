"""Consent, export and erasure for the visitor, as JSON and as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.decorators.csrf import csrf_protect
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from ... import conf
from ...events import tracking
from ...events.history import latest
from ...events.models import Kind
from ...exceptions import InvalidRequest
from ...privacy.consent import PURPOSES, Choice, choice_of, put_cookies, subject_of
from ...privacy.consent_changes import decide, forget
from ...privacy.data_export import export
from ...privacy.erasure import Receipt
from ..schema import described, errors
from ..serializers_events import ConsentAnswer, ConsentRequest, ExportAnswer, ReceiptAnswer
from ..uploads import SmallJSONParser
from .base import PublicView, checked

PAGE = "shopvision/privacy.html"
SHOWN = 20  # of the latest products, on the page


class OwnView(PublicView):
    """About the visitor who asks; another site's page may not ask in the visitor's name."""

    parser_classes: Sequence[type[BaseParser]] = (SmallJSONParser,)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what a browser says another site sent."""
        super().initial(request, *args, **kwargs)
        if request.META.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none"):
            raise PermissionDenied("ask from the shop's own pages")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """No cache keeps it."""
        response = super().finalize_response(request, response, *args, **kwargs)
        add_never_cache_headers(response)
        return response


class ConsentView(OwnView):
    """What the visitor agreed to."""

    @described(operation_id="consent", responses={200: ConsentAnswer, **errors(403, 429)})
    def get(self, request: Request) -> Response:
        """What holds now."""
        return Response(_state(choice_of(request._request)))

    @described(
        operation_id="consent_decide",
        request=ConsentRequest,
        responses={200: ConsentAnswer, **errors(400, 403, 413, 415, 429, 503)},
    )
    def put(self, request: Request) -> Response:
        """Decide. Agreeing to nothing withdraws, and erases what was kept."""
        asked = checked(ConsentRequest, request.data)
        choice, receipt = decide(request._request, asked.agreed(), source="api")
        response = Response(_state(choice, receipt))
        put_cookies(response, request._request, choice)
        return response


class MeView(OwnView):
    """All that is kept of the visitor."""

    @described(operation_id="me", responses={200: ExportAnswer, **errors(403, 429, 503)})
    def get(self, request: Request) -> Response:
        """A copy."""
        plain = request._request
        return Response(export(subject_of(plain), source="visitor", request=plain))

    @described(operation_id="me_erase", responses={200: ReceiptAnswer, **errors(403, 429, 503)})
    def delete(self, request: Request) -> Response:
        """Erase it, and withdraw every consent; the answer is the receipt."""
        choice, receipt = forget(request._request, source="api")
        response = Response(receipt.as_dict())
        put_cookies(response, request._request, choice)
        return response


def _state(choice: Choice, receipt: Receipt | None = None) -> dict[str, Any]:
    return {
        "mode": conf.PRIVACY_MODE,
        "decided": choice.decided,
        "signal": choice.signal,
        "purposes": {name: name in choice.purposes for name in PURPOSES},
        "erased": receipt.as_dict() if receipt else None,
    }


@method_decorator(csrf_protect, name="dispatch")
class PrivacyPage(View):
    """Choices, a copy and an erasure, as a form."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form, with what holds now and what is remembered."""
        return _page(request)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        """``do`` is accept, refuse, save or erase; back to ``next`` where a page of the shop sent us."""
        act = request.POST.get("do", "save")
        if act == "erase":
            choice, receipt = forget(request, source="page")
            response: HttpResponseBase = _page(request, receipt=receipt)
        else:
            agreed = {"accept": PURPOSES, "refuse": (), "save": request.POST.getlist("purpose")}
            try:
                choice, erased = decide(request, agreed[act], source="page")
            except (KeyError, InvalidRequest) as error:  # of a form the shop wrote itself
                words = f"do takes {', '.join(agreed)} or erase: {error}"
                return HttpResponseBadRequest(words, content_type="text/plain; charset=utf-8")
            response = _page(request, receipt=erased) if erased else redirect(_next(request))
        put_cookies(response, request, choice)
        return response


def _next(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure()):
        return wanted
    return reverse("shopvision:privacy") + "?saved=1"


def _page(request: HttpRequest, receipt: Receipt | None = None) -> HttpResponse:
    seen = latest(request, limit=SHOWN)
    titles = tracking.titles(one.product for one in seen)
    context = {
        "mode": conf.PRIVACY_MODE,
        "choice": choice_of(request),
        "purposes": PURPOSES if conf.PRIVACY_MODE == "consent" else PURPOSES[:1],
        "agreed": agreed_now(request),
        "saved": "saved" in request.GET,
        "receipt": receipt,
        "latest": [
            (titles.get(str(one.product)) or one.product, Kind(one.kind).label, one.at) for one in seen
        ],
    }
    response = render(request, PAGE, context)
    add_never_cache_headers(response)
    return response


def agreed_now(request: HttpRequest) -> frozenset[str]:
    """Purposes in force: in session mode, personalisation is until it is refused."""
    choice = choice_of(request)
    if conf.PRIVACY_MODE == "session" and not choice.decided and not choice.signal:
        return frozenset({"personalisation"})
    return choice.purposes
