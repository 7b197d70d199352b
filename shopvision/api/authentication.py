"""Session authentication of the API."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.request import Request
from rest_framework.settings import api_settings


class ShopSession(BaseAuthentication):
    """The user whom Django's session middleware found.

    Without DRF's CSRF check: our public endpoints change nothing for the user, so a forged search gains its
    author nothing, and a visitor who is signed in may search from any page and without a token.
    """

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """The signed-in user, or None."""
        user = getattr(request._request, "user", None)
        return (user, None) if user is not None and user.is_active else None

    def authenticate_header(self, request: Request) -> str:
        """Makes "not signed in" a 401 rather than a 403."""
        return "Session"


class CheckedSession(SessionAuthentication):
    """The shop's session with the CSRF token of its pages, for endpoints that change something."""

    def authenticate_header(self, request: Request) -> str:
        """Makes "not signed in" a 401 rather than a 403."""
        return "Session"


def writing_authenticators() -> list[BaseAuthentication]:
    """The session with its CSRF check, then the shop's own DRF defaults (tokens), for endpoints that write."""
    return [CheckedSession(), *staff_authenticators()[1:]]


def staff_authenticators() -> list[BaseAuthentication]:
    """The session, then the shop's own DRF defaults (tokens for a scraper), for endpoints that only read."""
    classes: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    own = [made for made in classes if not issubclass(made, SessionAuthentication)]
    return [ShopSession(), *(made() for made in own)]
