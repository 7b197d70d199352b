"""Template tags for shops: photo button, strips, reasons, events, privacy; empty on failure."""

from __future__ import annotations

from typing import Any

from django import template
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .. import conf, listings, metrics
from ..events import tracking
from ..exceptions import InvalidRequest, Misconfigured
from ..privacy.consent import choice_of
from ..ranking.deadline import apart
from ..search.answers import result

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
    request = context.get("request")
    results = _similar(request, product, limit, alternatives)
    shown = tracking.record_listing(request, results)
    return {"title": heading, "results": results, "shown": shown}


def _similar(request: Any, product: Any, limit: int, alternatives: bool) -> list[dict[str, Any]]:
    try:
        if (ref := tracking.ref_of(product)) is None:
            raise Misconfigured("not_a_catalogue_product")
        with apart():
            found = listings.similar_products(
                ref, limit=limit, context=request, alternatives=alternatives, keep=False
            )
        return [result(hit) for hit in found.hits]
    except InvalidRequest:  # not indexed yet: nothing to show, nothing wrong
        return []
    except Exception:  # noqa: BLE001 - the shop's page never breaks because of us
        metrics.count("tag_failed")
        metrics.log.exception("similar products of %r could not be shown", product)
        return []


@register.simple_tag(takes_context=True)
def personalised(context: template.Context, products: Any, name: str = "") -> Any:
    """Products in the order this visitor sees: ``{% personalised products as mine %}``, then page or loop.

    Args:
        products: a queryset or list in the shop's own order; the shopper's explicit sort wins.
        name: tells two lists of one page apart.
    """
    request = context.get("request")
    if isinstance(products, QuerySet) and not products.query.is_sliced:
        return listings.rank_queryset(products, request, name=name)
    return listings.RankedSequence(products, request, name=name)


@register.inclusion_tag("shopvision/strip.html", takes_context=True)
def recommended(
    context: template.Context, placement: str, product: Any = None, limit: int = 6, title: str = ""
) -> dict[str, Any]:
    """A strip of products chosen for this visitor, with reasons; nothing where there is nothing to say.

    Args:
        placement: ``for_you``, ``because_you_viewed``, ``recently_viewed``; with a product ``similar``,
            ``alternatives``, ``together``.
        product: whose page it is.
        title: heading, if not the placement's own.
    """
    request = context.get("request")
    try:
        ref = tracking.ref_of(product) if product is not None else None
        with apart():
            found = listings.recommended(placement, request=request, product=ref, limit=limit)
        odds = found.ordering.propensities if found.ordering else None
        shown = tracking.record_listing(request, found.hits, listing=found.id, propensities=odds)
        results = [result(hit) for hit in found.hits]
        return {"title": title or found.query["title"], "results": results, "shown": shown}
    except Exception:  # noqa: BLE001 - the shop's page never breaks because of us
        metrics.count("tag_failed")
        metrics.log.exception("the strip %s could not be shown", placement)
        return {"title": title, "results": [], "shown": tracking.Shown("", {})}


@register.simple_tag
def why(found: Any) -> str:
    """The reasons of a result, or of a product of a re-ordered listing, in one line; "" where there are none."""
    if words := getattr(found, "shopvision_why", None):
        return str(words)
    reasons = found.get("why", ()) if isinstance(found, dict) else getattr(found, "why", ())
    return " · ".join(str(reason) for reason in reasons)


@register.simple_tag(takes_context=True)
def record_view(context: template.Context, product: Any, browser: bool = False) -> SafeString:
    """This page shows a product: records a view, and lets the beacon's script record what the server cannot see.

    Args:
        product: the product.
        browser: leave it to the script alone, on pages that come out of a cache.
    """
    ref = tracking.ref_of(product)
    if ref is None or conf.PRIVACY_MODE == "off":
        return SafeString("")
    if not browser:
        tracking.record(context.get("request"), "view", ref)
    seen = "" if browser else " data-shopvision-recorded"
    return format_html('<span hidden data-shopvision-view="{}"{}></span>', ref, SafeString(seen))


@register.simple_tag(takes_context=True)
def record_listing(context: template.Context, products: Any, start: int = 0) -> tracking.Shown:
    """This page shows these products in this order: records impressions.

    ``{% record_listing page as shown %}``, then ``{{ shown.attributes }}`` in the element around the cards and
    ``{% shown_item shown product %}`` in each card's own, so that clicks are joined.

    Args:
        products: in order.
        start: position of the first, from 0; on the second page of 24, 24.
    """
    return tracking.record_listing(context.get("request"), products, start=start)


@register.simple_tag
def shown_item(shown: tracking.Shown, product: Any) -> SafeString:
    """Attributes for a card's own element."""
    return shown.item(product)


@register.inclusion_tag("shopvision/events.html")
def shopvision_events() -> dict[str, Any]:
    """The beacon's script; once on a page, anywhere. Nothing where PRIVACY_MODE is off."""
    return {"mode": conf.PRIVACY_MODE}


@register.inclusion_tag("shopvision/privacy_choices.html", takes_context=True)
def privacy_choices(context: template.Context) -> dict[str, Any]:
    """A link to the visitor's choices; in mode ``consent``, the question itself until it is answered."""
    request = context.get("request")
    ask = False
    if request is not None and conf.PRIVACY_MODE == "consent":
        choice = choice_of(request)
        ask = not choice.decided and not choice.signal
    return {
        "mode": conf.PRIVACY_MODE,
        "ask": ask,
        "request": request,
        "csrf_token": context.get("csrf_token"),
    }
