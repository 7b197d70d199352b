"""Events as they were written, and views by product with noise; both to be looked at only."""

from __future__ import annotations

import csv
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..catalogue.models import CatalogueEntry
from ..events.aggregate import MOST_DAYS, most_viewed, views
from ..events.models import Event
from ..events.simulated import SUBJECT
from ..privacy import noise
from ..privacy.consent import BITS
from .names import word
from .readonly import ReadOnlyAdmin

DAYS = 30
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
        days = min(max(int(asked), 1), MOST_DAYS) if asked.isdecimal() and len(asked) < 4 else DAYS
        entries = CatalogueEntry.objects.order_by("source", "object_id")
        rows = entries.values_list("source", "object_id", "title")
        titles = {f"{source}:{key}": title for source, key, title in rows}
        if request.GET.get("csv") == "1":
            return _download(titles, days)
        context: dict[str, Any] = {
            "title": gettext("Views by product"),
            "days": days,
            "rows": [(ref, titles[ref], n) for ref, n in most_viewed(titles, days, MOST_SHOWN)],
            "epsilon": noise.EPSILON,
            "scale": noise.laplace_scale(),
        }
        return self.rendered(request, "views.html", context)


def _download(titles: dict[str, str], days: int) -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="views-{days}-days.csv"'
    writer = csv.writer(response)
    writer.writerow(["day", "product", "title", f"visitors (Laplace noise, epsilon {noise.EPSILON:g})"])
    for one in views(titles, days):
        writer.writerow([one.day, one.product, _plain(titles[one.product]), one.visitors])
    return response


def _plain(title: str) -> str:
    """A title no spreadsheet takes for a formula."""
    return f"'{title}" if title[:1] in "=+-@\t\r" else title
