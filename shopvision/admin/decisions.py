"""Decisions: the audit of what people and jobs did to labels; read only."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..classification.models import Decision
from .names import WordsFilter, column
from .predictions import REVIEW
from .readonly import ReadOnlyAdmin


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    """Newest first; nothing here is ever changed or deleted."""

    list_display = (
        "created_at", "verb", "source", "object_id", "of_what", "called", "suggested", "share", "written", "who",
        "undone_at",
    )  # fmt: skip
    list_filter = ("verb", ("target", WordsFilter), "source", "written", "created_at")
    fields = readonly_fields = (
        "created_at", "verb", "source", "object_id", "of_what", "called", "label", "suggested", "share", "before",
        "after", "written", "release", "who", "undone_at",
    )  # fmt: skip
    search_fields = ("object_id", "name", "label", "user_name")
    date_hierarchy = "created_at"
    of_what = column("target", _("target"))

    @admin.display(description=_("label"), ordering="name")
    def called(self, decision: Decision) -> str:
        """The label by name."""
        return decision.name or decision.label

    @admin.display(description=_("probability"), ordering="probability")
    def share(self, decision: Decision) -> str:
        """What the model had given it."""
        return "" if decision.probability is None else f"{decision.probability:.1%}"

    @admin.display(description=_("decided by"), ordering="user_name")
    def who(self, decision: Decision) -> str:
        """The person, or the job."""
        return decision.user_name or (
            gettext("job %(id)s") % {"id": decision.job_id} if decision.job_id else "—"
        )

    def has_view_permission(self, request: HttpRequest, obj: Decision | None = None) -> bool:
        """Who may review may look up what was decided."""
        return super().has_view_permission(request, obj) or request.user.has_perm(REVIEW)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Shows the section to who may review and nothing else."""
        return super().has_module_permission(request) or request.user.has_perm(REVIEW)
