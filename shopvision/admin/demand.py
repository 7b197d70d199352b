"""Demand: what shoppers photographed and the shop does not sell."""

from __future__ import annotations

from django.contrib import admin

from ..search.models import Demand
from .readonly import ReadOnlyAdmin


@admin.register(Demand)
class DemandAdmin(ReadOnlyAdmin):
    """By day, nearest category and main colour; no photo is kept."""

    list_display = ("day", "category", "colour", "text", "count")
    list_filter = ("day", "category", "colour")
    date_hierarchy = "day"
    ordering = ("-day", "-count")
