"""Privacy log: what was decided, erased, purged and handed out; never by whom."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .. import conf
from ..events import simulated
from ..privacy import registry
from ..privacy.consent import PURPOSES
from ..privacy.models import ConsentRecord, PrivacyLog
from .names import WordsFilter, column, word
from .readonly import ReadOnlyAdmin

DAYS = 30  # of decisions that are summed


@admin.register(PrivacyLog)
class PrivacyLogAdmin(ReadOnlyAdmin):
    """Receipts, newest first; above them what is kept, how long, and how visitors decided."""

    list_display = ("at", "act", "asked_by", "rows", "id")
    list_filter = ("act", ("source", WordsFilter))
    fields = readonly_fields = ("id", "at", "act", "asked_by", "rows")
    date_hierarchy = "at"
    search_fields = ("id",)
    change_list_template = "admin/shopvision/privacy_log.html"
    asked_by = column("source", _("asked for by"))  # a visitor, a withdrawal, a command

    @admin.display(description=_("rows by table"))
    def rows(self, log: PrivacyLog) -> str:
        """Numbers and names of tables, as in "3 events"."""
        found = (f"{number} {word(name)}" for name, number in log.counts.items() if number)
        return ", ".join(found) or word("none")

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list below a summary."""
        kept = [
            (word(one.name), one.days, bool(one.erase))
            for one in registry.stores().values()
            if one.days is not None
        ]
        context = {
            "mode": word(conf.PRIVACY_MODE),
            "rotation": conf.PSEUDONYM_ROTATION_DAYS,
            "kept": kept,
            "decisions": {word(name): number for name, number in _decisions().items()},
            "days": DAYS,
            "simulated": simulated.rights_exercised(),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)


def _decisions() -> dict[str, int]:
    """How often each purpose was agreed to, and how often all were refused, of late."""
    rows = ConsentRecord.objects.filter(at__gte=timezone.now() - timedelta(days=DAYS))
    found = Counter(
        name for agreed in rows.values_list("purposes", flat=True) for name in agreed or ["withdrawn"]
    )
    return {name: found[name] for name in (*PURPOSES, "withdrawn")}
