"""Admin of encoder releases: gate metrics, promotion and rollback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..exceptions import ShopvisionError
from ..index.models import EncoderRelease
from ..messages import translated
from ..tuning import promotion
from .read_only import ReadOnlyAdmin
from .verbose_names import word

QUEUED = gettext_lazy("A worker embeds the photos and switches then; the list of jobs shows how far it is.")


@admin.register(EncoderRelease)
class EncoderReleaseAdmin(ReadOnlyAdmin):
    """Two releases live side by side while a new one is built; the switch is one row."""

    list_display = ("__str__", "state", "precision", "backbone", "recall", "created_at", "activated_at")
    list_filter = ("state", "precision")
    fields = readonly_fields = (
        "name", "state", "backbone", "precision", "dim", "digest", "measured", "previous", "created_at",
        "activated_at",
    )  # fmt: skip
    actions = ["promote", "roll_back"]

    @admin.display(description=gettext_lazy("recall@1"))
    def recall(self, release: EncoderRelease) -> str:
        """On the shop's own held-out photos."""
        value = release.metrics.get("recall@1")
        return f"{value:.3f}" if isinstance(value, (int, float)) else "—"

    @admin.display(description=gettext_lazy("measured"))
    def measured(self, release: EncoderRelease) -> SafeString:
        """Everything the gate wrote down."""
        rows = format_html_join("", "<tr><th>{}</th><td>{}</td></tr>", _flat(release.metrics))
        return format_html('<table class="shopvision-metrics">{}</table>', rows)

    @admin.action(description=gettext_lazy("Promote to live"), permissions=["act"])
    def promote(self, request: HttpRequest, queryset: QuerySet[EncoderRelease]) -> None:
        """Switch searches to the chosen release; the one it replaces stays for rolling back."""
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            messages.error(request, _("Choose exactly one release to promote."))
            return
        try:
            job = promotion.promote_or_queue(chosen[0], request.user)
        except ShopvisionError as error:
            messages.error(request, translated(error))
        else:
            messages.success(request, QUEUED if job else _("%(release)s is live.") % {"release": chosen[0]})

    @admin.action(
        description=gettext_lazy("Roll back to the release before the live one"), permissions=["act"]
    )
    def roll_back(self, request: HttpRequest, queryset: QuerySet[EncoderRelease]) -> None:
        """Undo the last promotion."""
        try:
            before = promotion.predecessor()
            job = promotion.promote_or_queue(before, request.user, back=True)
        except ShopvisionError as error:
            messages.error(request, translated(error))
        else:
            messages.success(
                request, QUEUED if job else _("%(release)s is live again.") % {"release": before}
            )


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}{word(key)}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name} / ")
        else:
            yield name, f"{value:.4g}" if isinstance(value, float) else word(value)
