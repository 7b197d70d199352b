"""Filter product references by what the shop shows a visitor."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from ..types import ProductRef
from .adapter import Catalogue, catalogues
from .field_paths import with_keys


def by_source(refs: Iterable[ProductRef]) -> dict[str, list[str]]:
    """Keys by catalogue, each once; what no catalogue is responsible for is left out."""
    wanted: dict[str, list[str]] = defaultdict(list)
    for ref in dict.fromkeys(refs):
        if ref.source in catalogues():
            wanted[ref.source].append(ref.object_id)
    return wanted


def visible_refs(refs: Sequence[ProductRef], context: Any) -> list[ProductRef]:
    """Those that exist in the shop now and that it lets the visitor see; order kept. A light query per catalogue.

    Args:
        context: the request, for the shop's own ``visible``.
    """
    known = catalogues()
    allowed = {
        source: set(_visible_keys(known[source], keys, context)) for source, keys in by_source(refs).items()
    }
    return [ref for ref in refs if ref.object_id in allowed.get(ref.source, ())]


def _visible_keys(shop: Catalogue, keys: Sequence[str], context: Any) -> list[str]:
    light = shop.queryset().select_related(None).prefetch_related(None).order_by()
    rows = shop.visible(with_keys(light, shop.python_keys(keys)), context)
    return [str(key) for key in rows.values_list("pk", flat=True)]
