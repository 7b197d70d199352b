"""Admin of catalogue entries, their photos with rejection reasons, and failed changes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .. import metrics
from ..catalogue import outbox
from ..catalogue.adapter import catalogues
from ..catalogue.models import CatalogueEntry, CatalogueImage, Outbox
from ..messages import translated
from .read_only import Inline, ReadOnlyAdmin
from .verbose_names import WordsFilter, column, word


class Rejection:
    """Why a photo cannot be used, in words, for the pages that show photos."""

    code = column("reject_code", _("reject code"))
    reason = column("reject_reason", _("reject reason"), translated)


class ImageInline(Rejection, Inline):
    """The product's photos."""

    model = CatalogueImage
    fields = readonly_fields = (
        "position",
        "name",
        "state",
        "code",
        "reason",
        "width",
        "height",
    )
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: CatalogueEntry | None = None) -> bool:
        """Photos are added in the shop."""
        return False


@admin.register(CatalogueEntry)
class CatalogueEntryAdmin(ReadOnlyAdmin):
    """Products as shopvision sees them."""

    list_display = ("title", "source", "object_id", "state", "changed_at", "indexed_at")
    list_filter = ("state", "source", "in_stock")
    search_fields = ("title", "object_id")
    fields = readonly_fields = (
        "source", "object_id", "title", "in_categories", "filtered_by", "price", "in_stock", "group", "state",
        "changed_at", "indexed_at", "text", "fingerprint",
    )  # fmt: skip
    inlines = [ImageInline]
    actions = ["index_again"]

    @admin.display(description=_("categories"))
    def in_categories(self, entry: CatalogueEntry) -> str:
        """By name."""
        return ", ".join(one["name"] for one in entry.categories)

    @admin.display(description=_("filters"))
    def filtered_by(self, entry: CatalogueEntry) -> str:
        """Values of the adapter's filters."""
        found = ((name, ", ".join(map(str, values))) for name, values in entry.filters.items())
        return "; ".join(f"{word(name)}: {values}" for name, values in found if values)

    @admin.action(description=_("Index again"), permissions=["act"])
    def index_again(self, request: HttpRequest, queryset: QuerySet[CatalogueEntry]) -> None:
        """Queue the chosen products."""
        number = _queue(queryset)
        words = ngettext(
            "%(n)d product queued; it is searchable again in seconds.",
            "%(n)d products queued; they are searchable again in seconds.",
            number,
        )
        messages.success(request, words % {"n": number})


class PhotoList(ChangeList):
    """A page of photos with their addresses, asked of the shop once a source and not once a row."""

    def get_results(self, request: HttpRequest) -> None:
        """The page's rows, each with its ``url``."""
        super().get_results(request)
        urls = photo_urls(self.result_list)
        for image in self.result_list:
            image.url = urls.get(image.pk, "")


@admin.register(CatalogueImage)
class CatalogueImageAdmin(Rejection, ReadOnlyAdmin):
    """Photos; filter by "rejected" to see what shoppers cannot find, and why."""

    list_display = ("photo", "product", "state", "code", "reason", "attempts", "changed_at")
    list_display_links = ("product",)
    list_filter = ("state", ("reject_code", WordsFilter), "entry__source")
    fields = readonly_fields = (
        "entry", "name", "position", "state", "code", "reason", "attempts", "width", "height", "found_colours",
        "measured", "content_digest", "changed_at",
    )  # fmt: skip
    search_fields = ("name", "entry__title", "entry__object_id")
    list_select_related = ("entry",)
    list_per_page = 50
    actions = ["retry"]

    @admin.display(description=_("photo"))
    def photo(self, image: CatalogueImage) -> SafeString | str:
        """A thumbnail from the shop's own storage; its name when that cannot be had."""
        url = getattr(image, "url", "")
        if not url:
            return image.name
        return format_html('<img src="{}" alt="" height="48" loading="lazy">', url)

    @admin.display(description=_("colours"))
    def found_colours(self, image: CatalogueImage) -> str:
        """Its dominant colours by name, with their shares."""
        return ", ".join(f"{word(one['name'])} {one['share']:.0%}" for one in image.colours)

    @admin.display(description=_("quality"))
    def measured(self, image: CatalogueImage) -> str:
        """What was measured of its pixels."""
        return ", ".join(f"{word(name)} {value:g}" for name, value in image.quality.items())

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """A list that knows its photos' addresses."""
        return PhotoList

    @admin.display(description=_("product"), ordering="entry__title")
    def product(self, image: CatalogueImage) -> str:
        """Whose photo it is."""
        return str(image.entry)

    @admin.action(description=_("Try again"), permissions=["act"])
    def retry(self, request: HttpRequest, queryset: QuerySet[CatalogueImage]) -> None:
        """Forget the rejection and queue the products."""
        entries = CatalogueEntry.objects.filter(images__in=queryset).distinct()
        number = _queue(entries)
        queryset.update(state=CatalogueImage.State.PENDING, reject_code="", reject_reason="", attempts=0)
        words = ngettext(
            "The photos of %(n)d product will be tried again.",
            "The photos of %(n)d products will be tried again.",
            number,
        )
        messages.success(request, words % {"n": number})


@admin.register(Outbox)
class OutboxAdmin(ReadOnlyAdmin):
    """Changes that wait for a worker, and those set aside after too many attempts."""

    list_display = ("source", "object_id", "state", "attempts", "created_at", "available_at", "last_error")
    list_filter = ("state", "source")
    search_fields = ("object_id", "last_error")
    actions = ["retry"]

    @admin.action(description=_("Try again now"), permissions=["act"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Outbox]) -> None:
        """Make the chosen changes claimable at once."""
        number = outbox.retry(queryset)
        words = ngettext("%(n)d change will be tried again.", "%(n)d changes will be tried again.", number)
        messages.success(request, words % {"n": number})


def _queue(entries: QuerySet[CatalogueEntry]) -> int:
    number = 0
    for source, object_id in entries.values_list("source", "object_id").iterator():
        outbox.record_change(source, object_id)
        number += 1
    return number


def photo_urls(images: Iterable[CatalogueImage]) -> dict[int, str]:
    """By photo, where the shop's storage serves it; photos of which product or storage do not say are left out."""
    wanted: dict[str, dict[str, list[CatalogueImage]]] = {}
    for image in images:
        wanted.setdefault(image.entry.source, {}).setdefault(image.entry.object_id, []).append(image)
    found: dict[int, str] = {}
    for source, by_key in wanted.items():
        shop = catalogues().get(source)
        for key, product in (shop.get_many(by_key) if shop else {}).items():
            found |= _urls(shop, product, by_key[key])
    return found


def _urls(shop: Any, product: Any, images: Iterable[CatalogueImage]) -> dict[int, str]:
    try:
        urls = {file.name: str(file.url) for file in shop.image_files(product)}
    except Exception as error:  # noqa: BLE001 - the shop's own code may raise anything; the list goes on
        metrics.log.warning("photos of %s have no address", shop.ref(product), exc_info=error)
        return {}
    return {image.pk: urls[image.name] for image in images if image.name in urls}
