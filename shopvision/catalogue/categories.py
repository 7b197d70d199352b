"""Convert a shop's category, in any representation, into an id with ancestors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import models

from ..types import Category

PATH_SEPARATOR = re.compile(r"\s*>\s*")
MAX_DEPTH = 32  # a category tree deeper than this is a loop
_known: ContextVar[dict[tuple[type, Any], tuple[str, ...]] | None] = ContextVar(
    "shopvision_known", default=None
)


@contextmanager
def looked_up_once() -> Iterator[None]:
    """Inside it, who stands above a category is asked once, not once for every product in it."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def category_of(value: Any) -> Category | None:
    """The category that a model's row or a text stands for; None for an empty text."""
    if isinstance(value, models.Model):
        return Category(str(value.pk), str(value), _ancestors(value))
    steps = [step for step in PATH_SEPARATOR.split(str(value).strip()) if step]
    if not steps:
        return None
    paths = [" > ".join(steps[: depth + 1]) for depth in range(len(steps))]
    return Category(paths[-1], steps[-1], tuple(paths[:-1]))


def _ancestors(node: models.Model) -> tuple[str, ...]:
    known = _known.get()
    if known is None:
        return tuple(_above(node))
    key = (type(node), node.pk)
    if key not in known:
        known[key] = tuple(_above(node))
    return known[key]


def _above(node: models.Model) -> list[str]:
    """Ids of a tree node's ancestors, nearest last: treebeard's or mptt's own way, else its ``parent``."""
    get = getattr(node, "get_ancestors", None)
    if callable(get):
        return [str(one.pk) for one in get() if one.pk != node.pk]
    found: list[str] = []
    above = getattr(node, "parent", None)
    while isinstance(above, models.Model) and len(found) < MAX_DEPTH:
        found.append(str(above.pk))
        above = getattr(above, "parent", None)
    return found[::-1]
