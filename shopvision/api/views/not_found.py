"""JSON 404 for unknown API URLs."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from ...exceptions import InvalidRequest
from .base import ProbeView


class NothingView(ProbeView):
    """Whatever the method, there is nothing here; nobody is counted or asked who they are to be told so."""

    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Answer before the method is looked at or a byte of the body is read.

        Raises:
            InvalidRequest: always (code ``not_found``).
        """
        raise InvalidRequest("unknown_api_address", code="not_found")
