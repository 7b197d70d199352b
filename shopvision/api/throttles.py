"""Rate limits per visitor, and a limit on concurrent photo searches per process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from .. import conf, metrics
from ..exceptions import TemporaryFailure


class VisitorThrottle(SimpleRateThrottle):
    """Counts per signed-in user, else per address (DRF's ``NUM_PROXIES`` says which address to believe)."""

    rate_name = ""  # key of RATES
    scope_name = ""  # set where two kinds of request share a rate and not a budget

    def get_rate(self) -> str:
        """The shop's setting, read at each request."""
        return str(conf.RATES[self.rate_name])

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """One key for each visitor and kind of request; who reads the cache learns no address and no user of it."""
        user = request.user
        known = f"user {user.pk}" if user and user.is_authenticated else f"address {self.get_ident(request)}"
        digest = salted_hmac("shopvision.throttle", known, algorithm="sha256").hexdigest()
        return f"shopvision:{self.scope_name or self.rate_name}:{digest}"

    def allow_request(self, request: Request, view: APIView) -> bool:
        """May it pass; a cache that is down counts nobody, and its shop's searches go on."""
        try:
            return bool(super().allow_request(request, view))
        except ImproperlyConfigured:
            raise
        except Exception as error:  # noqa: BLE001 - any cache backend may raise anything
            metrics.count("throttle_failed")
            metrics.log.warning("requests are not counted, the cache does not answer: %s", error)
            return True


class SearchThrottle(VisitorThrottle):
    """Photo searches: they cost an encoder's time."""

    rate_name = "search"


class BrowseThrottle(VisitorThrottle):
    """Everything else that anyone may ask."""

    rate_name = "browse"


class StaffThrottle(VisitorThrottle):
    """What people of the shop ask for; per person, beside what they do as visitors."""

    rate_name = "browse"
    scope_name = "staff"


class EventThrottle(VisitorThrottle):
    """The beacon's batches, beside what the visitor asks for."""

    rate_name = "browse"
    scope_name = "events"


_lock = threading.Lock()
_in_flight = 0


@contextmanager
def search_slot() -> Iterator[None]:
    """Hold one of this process's ``SEARCH_MAX_IN_FLIGHT`` places while a photo is worked on.

    Raises:
        TemporaryFailure: ``queue_full``; answering later is better than answering everybody late.
    """
    global _in_flight
    with _lock:
        if _in_flight >= conf.SEARCH_MAX_IN_FLIGHT:
            metrics.count("search_queue_full")
            raise TemporaryFailure(
                "too_many_searches_at_once",
                code="queue_full",
                retry_after_seconds=1,
            )
        _in_flight += 1
    try:
        yield
    finally:
        with _lock:
            _in_flight -= 1
