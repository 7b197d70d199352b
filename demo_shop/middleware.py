"""The strictest useful Content-Security-Policy, to prove that the storefront needs no exception."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class ContentSecurityPolicy:
    """Adds ``default-src 'self'`` to every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The view's answer with the header."""
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", "default-src 'self'")
        return response
