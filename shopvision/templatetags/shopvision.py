"""``{% load shopvision %}``: the photo button, strips of similar products, reasons. Quiet when we are down."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _

from .. import listings, telemetry
from ..catalogue.adapter import catalogues
from ..exceptions import InvalidRequest
from ..search.present import result
from ..types import ProductRef

register = template.Library()


@register.inclusion_tag("shopvision/button.html", takes_context=True)
def visual_search_button(context: template.Context) -> dict[str, Any]:
    """The photo search button with its dialog; a plain form where there is no JavaScript."""
    return {"request": context.get("request"), "csrf_token": context.get("csrf_token")}


@register.inclusion_tag("shopvision/strip.html", takes_context=True)
def similar_products(
    context: template.Context, product: Any, limit: int = 6, title: str = "", alternatives: bool = False
) -> dict[str, Any]:
    """Products that look like this one; with ``alternatives``, only such as can be bought now.

    Says nothing where there is nothing to say: no photo yet, or our part is down. The page goes on.
    """
    heading = title or (_("Available alternatives") if alternatives else _("Looks similar"))
    return {"title": heading, "results": _similar(context.get("request"), product, limit, alternatives)}


def _similar(request: Any, product: Any, limit: int, alternatives: bool) -> list[dict[str, Any]]:
    try:
        shop = catalogues()[product._meta.label_lower]
        ref = ProductRef(shop.source, shop.object_id(product))
        found = listings.similar_products(
            ref, limit=limit, context=request, alternatives=alternatives, keep=False
        )
        return [result(hit) for hit in found.hits]
    except InvalidRequest:  # not indexed yet: nothing to show, nothing wrong
        return []
    except Exception:  # noqa: BLE001 - the shop's page never breaks because of us
        telemetry.count("tag_failed")
        telemetry.log.exception("similar products of %r could not be shown", product)
        return []


@register.simple_tag
def why(found: Any) -> str:
    """The reasons of a result in one line."""
    reasons = found.get("why", ()) if isinstance(found, dict) else getattr(found, "why", ())
    return " · ".join(str(reason) for reason in reasons)
