"""Why a product stands where it does, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from ..behaviour import titles
from ..catalogue.visible import visible_refs
from ..types import ProductRef
from .order import Reason

MOST_TITLE = 60  # characters of a product's title within a reason


def in_words(reasons: Mapping[str, Reason], request: Any) -> dict[str, str]:
    """The reasons in the visitor's language; products are named as the shop names them now.

    One that the shop does not show the request's visitor any more is not named.
    """
    about = {one.about for one in reasons.values() if one.about and one.kind != "category"}
    named = titles(visible_refs([ProductRef.parse(ref) for ref in about], request))
    return {
        key: _said(one, one.about if one.kind == "category" else named.get(one.about, ""))
        for key, one in reasons.items()
    }


def _said(reason: Reason, title: str) -> str:
    title = title if len(title) <= MOST_TITLE else title[: MOST_TITLE - 1].rstrip() + "…"
    alone = {
        "seen": _("You looked at this"),
        "looks": _("Looks like something you looked at"),
        "together": _("Often together with something you looked at"),
        "after": _("Often looked at next"),
        "popular": _("Popular now"),
        "new": _("New in the shop"),
        "explored": _("Something different"),
    }
    with_title = {
        "looks": _("Looks like “%(title)s”, which you looked at"),
        "together": _("Often together with “%(title)s”"),
        "after": _("Often looked at after “%(title)s”"),
        "category": _("Also in “%(title)s”"),
    }
    if title and reason.kind in with_title:
        return with_title[reason.kind] % {"title": title}
    return alone.get(reason.kind, "")
