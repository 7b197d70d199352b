"""Number formatting filters of the admin pages."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.filter
def percent(value: Any, decimals: int = 1) -> str:
    """0.8765 as "87.6 %"; a dash where nothing was measured."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return "—"
    return f"{100 * value:.{decimals}f} %"


@register.filter
def figure(value: Any, decimals: int = 3) -> str:
    """A plain number; a dash where nothing was measured."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return "—"
    return f"{value:.{decimals}f}"


@register.filter
def per_cent_number(value: Any) -> int:
    """0.8765 as 88, for a meter."""
    return round(100 * value) if isinstance(value, (int, float)) else 0
