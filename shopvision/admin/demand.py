"""Demand: what shoppers photographed and the shop does not sell."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from ..search.models import Demand
from .names import WordsFilter, column
from .readonly import ReadOnlyAdmin


@admin.register(Demand)
class DemandAdmin(ReadOnlyAdmin):
    """By day, nearest category and main colour; no photo is kept."""

    list_display = ("day", "category", "called", "text", "count")
    list_display_links = None  # a row says all there is
    list_filter = ("day", "category", ("colour", WordsFilter))
    date_hierarchy = "day"
    ordering = ("-day", "-count")
    called = column("colour", _("colour"))
