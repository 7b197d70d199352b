"""Reasons why a product matches a photo, above the shop's background similarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from ..encoders.base import BlockSpec, Descriptors, families
from ..encoders.projection import unit


def alike(query: Descriptors, found: Descriptors, specs: Sequence[BlockSpec]) -> list[dict[str, float]]:
    """Cosine by family (mean over its blocks) of one query with each of N photos, in their order."""
    count = len(next(iter(found.values()), ()))
    out: list[dict[str, float]] = [{} for _ in range(count)]
    for family, blocks in families(specs).items():
        present = [name for name in blocks if name in query and name in found]
        if present:
            cosines = sum(unit(found[name]) @ unit(query[name][:1])[0] for name in present) / len(present)
            for row, cosine in zip(out, cosines.tolist(), strict=True):
                row[family] = cosine
    return out


def reasons(
    similar: Mapping[str, float],
    limits: Mapping[str, float],
    query_colours: Sequence[str] = (),
    found_colours: Sequence[str] = (),
) -> tuple[str, ...]:
    """Reasons, strongest first; a family is named only where it exceeds the shop's own background.

    Args:
        similar: cosine by family, from ``alike``.
        limits: by family, from ``family_background``; a family without a limit is never named.
        query_colours, found_colours: names of dominant colours, largest share first.
    """
    over = {family: similar[family] - limits[family] for family in similar if family in limits}
    named: list[str] = []
    for family in sorted(over, key=lambda name: -over[name]):
        if over[family] <= 0:
            continue
        if family == "colour":
            shared = [name for name in query_colours if name in found_colours]
            named.append(
                _("same colour: %(name)s") % {"name": _(shared[0])} if shared else _("similar colours")
            )
        else:
            named.append(_named(family))
    return tuple(named)


def _named(family: str) -> str:
    if family == "shape":
        return _("same shape")
    return _("same pattern") if family == "texture" else _("similar look")
