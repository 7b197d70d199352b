"""Permission classes of the API: one Django permission per action."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

(
    CLASSIFY,
    REVIEW,
    VIEW_JOB,
    CHANGE_JOB,
    VIEW_PREDICTION,
    VIEW_ENTRY,
    VIEW_OVERVIEW,
) = (
    f"shopvision.{name}"
    for name in (
        "classify_products",
        "review_predictions",
        "view_job",
        "change_job",
        "view_prediction",
        "view_catalogueentry",
        "view_overview",
    )
)


class Holds(BasePermission):
    """The view's ``needs`` names, for each method, permissions of which the user holds at least one."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Signed in, and allowed what the method does."""
        user = request.user
        if user is None or not user.is_authenticated:
            return False
        wanted = getattr(view, "needs", {}).get(request.method or "", ())
        return not wanted or any(user.has_perm(one) for one in wanted)


def require(request: Request, *permissions: str) -> None:
    """Refuse who holds none of these permissions; for what depends on the request's body.

    Raises:
        NotAuthenticated, PermissionDenied: as DRF answers 401 and 403.
    """
    user: Any = request.user
    if not user.is_authenticated:
        raise NotAuthenticated
    if not any(user.has_perm(one) for one in permissions):
        raise PermissionDenied(f"this takes the permission {' or '.join(permissions)}")
