"""Filter crawlers, prefetches and cross-site requests."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest

from ..privacy.consent import NOTHING, Permission, may_record

BOTS = re.compile(
    r"(?<!cu)bot(?:\b|_)|crawl|spider|slurp|archiver|facebookexternalhit|whatsapp|preview|lighthouse|"
    r"pingdom|uptime|monitor|validator|feedfetcher|mediapartners|apis-google|scrapy|phantomjs|"
    r"bingpreview|yandex(?!search|browser)|baiduspider|duckduckgo-favicons|google-read-aloud|gptbot|ccbot|claudebot",
    re.IGNORECASE,
)
PREFETCH = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
PREFETCH_HEADERS = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")


def plain_request(request: Any) -> Any:
    """Django's request behind DRF's; any other thing as it is."""
    return getattr(request, "_request", request)


def why_not(request: HttpRequest) -> str:
    """``bot``, ``prefetch`` or ``foreign`` when nobody of this shop's visitors did it; else ""."""
    if BOTS.search(request.META.get("HTTP_USER_AGENT", "")):
        return "bot"
    if any(PREFETCH.search(request.META.get(name, "")) for name in PREFETCH_HEADERS):
        return "prefetch"
    if is_foreign(request):
        return "foreign"
    return ""


def is_foreign(request: HttpRequest) -> bool:
    """A page of another site sent it, by script or form; a link the visitor followed is no such thing."""
    site = request.META.get("HTTP_SEC_FETCH_SITE", "")
    return site == "cross-site" and request.META.get("HTTP_SEC_FETCH_MODE") != "navigate"


def permission_of(context: Any) -> Permission:
    """What the visitor whose request this is lets us keep.

    Args:
        context: the request, Django's or DRF's; without one, or with anything else, it is nobody's search.
    """
    plain = plain_request(context)
    if not hasattr(plain, "META"):
        return may_record()
    return NOTHING if why_not(plain) else may_record(plain)
