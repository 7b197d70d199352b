"""Decisions: the audit of what people and jobs did to labels; read only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from ..classification.models import Decision
from .predictions import REVIEW
from .readonly import ReadOnlyAdmin


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """Newest first; nothing here is ever changed or deleted."""

    list_display = (
        "created_at", "verb", "source", "object_id", "target", "called", "suggested", "share", "written", "who",
        "undone_at",
    )  # fmt: skip
    list_filter = ("verb", "target", "source", "written", "created_at")
    search_fields = ("object_id", "name", "label", "user_name")
    date_hierarchy = "created_at"

    @admin.display(description="label", ordering="name")
    def called(self, decision: Decision) -> str:
        """The label by name."""
        return decision.name or decision.label

    @admin.display(description="probability", ordering="probability")
    def share(self, decision: Decision) -> str:
        """What the model had given it."""
        return "" if decision.probability is None else f"{decision.probability:.1%}"

    @admin.display(description="who", ordering="user_name")
    def who(self, decision: Decision) -> str:
        """The person, or the job."""
        return decision.user_name or (f"job {decision.job_id}" if decision.job_id else "—")

    def has_view_permission(self, request: HttpRequest, obj: Decision | None = None) -> bool:
        """Who may review may look up what was decided."""
        return super().has_view_permission(request, obj) or request.user.has_perm(REVIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Shows the section to who may review and nothing else."""
        return super().has_module_permission(request) or request.user.has_perm(REVIEW)
