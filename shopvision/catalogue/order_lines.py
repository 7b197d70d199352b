"""Extract products and quantities from the keyword arguments of the shop's signals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.dispatch import Signal
from django.utils.module_loading import import_string

CARRIERS = ("order", "basket", "line", "sender")  # arguments that may have lines, or be one
PIECES = ("quantity", "units", "amount")


def products_in(told: Mapping[str, Any]) -> list[tuple[Any, float | None]]:
    """Products with their number of pieces; empty when the arguments name none."""
    if told.get("product") is not None:
        return [(told["product"], _pieces(told.get("line"), told))]
    if told.get("products") is not None:
        return [(product, None) for product in told["products"]]
    for name in CARRIERS:
        if lines := _lines(told.get(name)):
            return [(line.product, _pieces(line, {})) for line in lines]
    return []


def why_no_signal(path: str) -> str:
    """Why a dotted path is no signal; empty when it is one."""
    try:
        found = import_string(path)
    except ImportError as error:
        return str(error)
    return (
        "" if isinstance(found, Signal) else f"it is a {type(found).__name__}, not a django.dispatch.Signal"
    )


def _lines(carrier: Any) -> list[Any]:
    if getattr(carrier, "product", None) is not None:
        return [carrier]
    for name in ("lines", "items"):
        manager: Any = getattr(carrier, name, None)
        lines = manager.all() if hasattr(manager, "all") else manager
        if isinstance(lines, Iterable):
            return [line for line in lines if getattr(line, "product", None) is not None]
    return []


def _pieces(line: Any, told: Mapping[str, Any]) -> float | None:
    for name in PIECES:
        value = told.get(name, getattr(line, name, None))
        if isinstance(value, (int, float)):
            return float(value)
    return None
