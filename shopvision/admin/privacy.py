"""Admin of events, noisy view counts and the privacy log; read only."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import conf
from ..catalogue.models import CatalogueEntry
from ..events import simulated_events
from ..events.models import Event
from ..events.noisy_aggregates import MOST_DAYS, most_viewed, views
from ..events.simulated_events import SUBJECT
from ..privacy import differential_privacy, registry
from ..privacy.consent import BITS, PURPOSES
from ..privacy.models import ConsentRecord, PrivacyLog
from .read_only import ReadOnlyAdmin
from .verbose_names import WordsFilter, column, word

VIEW_DAYS = 30
MOST_SHOWN = 50  # products on the page; the download has all


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """One row for each act, under a pseudonym of which the list shows the start."""

    list_display = ("at", "kind", "product", "listing_start", "position", "propensity", "value", "who")
    list_filter = ("kind", "at")
    date_hierarchy = "at"
    search_fields = ("product", "listing")
    exclude = ("purposes",)
    readonly_fields = ("agreed",)
    ordering = ("-at", "-pk")
    show_full_result_count = False
    change_list_template = "admin/shopvision/event_list.html"

    @admin.display(description=_("listing"))
    def listing_start(self, event: Event) -> str:
        """Its first eight digits."""
        return event.listing[:8]

    @admin.display(description=_("subject"))
    def who(self, event: Event) -> str:
        """The start of the pseudonym: enough to see two rows belong together; or that nobody did it."""
        if event.subject.startswith(SUBJECT):
            return gettext("simulated %(n)s") % {"n": event.subject.removeprefix(SUBJECT)}
        return event.subject.partition(".")[2][:6] + "…"

    @admin.display(description=_("may be used for"))
    def agreed(self, event: Event) -> str:
        """The purposes its bits stand for."""
        return ", ".join(word(name) for name, bit in BITS.items() if event.purposes & bit)

    def get_urls(self) -> list[URLPattern]:
        """Adds the page of views."""
        page = self.admin_site.admin_view(self.views_view)
        return [path("views/", page, name="shopvision_event_views"), *super().get_urls()]

    def views_view(self, request: HttpRequest) -> HttpResponse:
        """The products most looked at; ``?days=``, and ``?csv=1`` for all by day."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = request.GET.get("days", "")
        days = min(max(int(asked), 1), MOST_DAYS) if asked.isdecimal() and len(asked) < 4 else VIEW_DAYS
        entries = CatalogueEntry.objects.order_by("source", "object_id")
        rows = entries.values_list("source", "object_id", "title")
        titles = {f"{source}:{key}": title for source, key, title in rows}
        if request.GET.get("csv") == "1":
            return _download(titles, days)
        context: dict[str, Any] = {
            "title": gettext("Views by product"),
            "days": days,
            "rows": [(ref, titles[ref], n) for ref, n in most_viewed(titles, days, MOST_SHOWN)],
            "epsilon": differential_privacy.EPSILON,
            "scale": differential_privacy.laplace_scale(),
        }
        return self.rendered(request, "views.html", context)


def _download(titles: dict[str, str], days: int) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="views-{days}-days.csv"'
    writer = csv.writer(response)
    writer.writerow(
        ["day", "product", "title", f"visitors (Laplace noise, epsilon {differential_privacy.EPSILON:g})"]
    )
    for one in views(titles, days):
        writer.writerow([one.day, one.product, _plain(titles[one.product]), one.visitors])
    return response


def _plain(title: str) -> str:
    """A title no spreadsheet takes for a formula."""
    return f"'{title}" if title[:1] in "=+-@\t\r" else title


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
            "simulated": simulated_events.rights_exercised(),
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
