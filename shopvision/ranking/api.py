"""Public entry points for personalised listings; a failure keeps the shop's own order."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.core.exceptions import DisallowedHost
from django.http import QueryDict
from rest_framework.pagination import CursorPagination

from .. import conf
from ..catalogue.adapter import Catalogue, catalogues
from ..catalogue.constraints import NO_RULES, Rules
from ..events import tracking
from ..events.bot_filter import plain_request
from ..types import ProductRef
from .deadline import apart, own_order
from .experiments import Arm, arm_of, shown
from .listing_sources import Keys, Source, source_of
from .order_cache import Ranking
from .ranked_sequence import OWN_ORDER, Plan, RankedRows
from .reasons import in_words
from .rerank import rank, ruled
from .visitor_profile import Taste, holder_of, taste_of, viewer_of

ORDER = "sv"  # parameter that names the order a page belongs to
PAGING = frozenset(
    {ORDER, "page", "p", "page_size", "per_page", "offset", "limit", "cursor", "start"}
)  # parameters that leave a listing the same


def rank_queryset(queryset: Any, request: Any, *, name: str = "", pinned: Any = (), hidden: Any = ()) -> Any:
    """A queryset's products in the order its visitor sees; hand it to a paginator, or slice it.

    The shopper's explicit sort wins: with one of RANKING['sort_parameters'] in the request, the queryset
    comes back as it is; so it does where anything of ours fails.

    Args:
        queryset: of a registered model, in the shop's own order; not sliced, so that only keys are read.
        name: tells two listings of one page apart; needed for lists only, a queryset has a statement.
        pinned, hidden: rows or primary keys that come first, or go last within the window.
    """
    try:
        if is_sorted_by_shopper(request):
            return queryset
        found = RankedSequence(queryset, request, name=name, pinned=pinned, hidden=hidden)
        return found if found.active else queryset
    except Exception as error:  # noqa: BLE001 - the shop's pages never break because of us
        own_order(error)
        return queryset


def rank_ids(ids: Iterable[Any], request: Any, *, source: str = "", start: int = 0) -> list[Any]:
    """Primary keys of products in the order their visitor sees; each exactly once.

    Args:
        ids: in the shop's own order.
        source: label of their catalogue (``app.model``); may be left out where there is only one.
        start: place of the first that the page shows; above 0 the order of the visitor's first page stands.
    """
    given = list(ids)
    try:
        shop = catalogues()[source] if source else next(iter(catalogues().values()))
        found = RankedSequence(Keys(given, shop), request)
        return [*found[0:start], *found[start:]] if start else list(found[0:])
    except Exception as error:  # noqa: BLE001 - as above
        own_order(error)
        return given


def rank_or_none(
    refs: Sequence[ProductRef],
    taste: Taste,
    *,
    places: bool = True,
    since: float | None = None,
    rules: Rules = NO_RULES,
) -> Ranking | None:
    """As ``rerank.rank``; None where anything fails, which is counted."""
    if len(refs) < 2:
        return None
    try:
        with apart():
            return rank(refs, taste, seed=uuid.uuid4().hex, places=places, since=since, rules=rules)
    except Exception as error:  # noqa: BLE001 - as above
        own_order(error)
        return None


def rank_for(request: Any, refs: Sequence[ProductRef]) -> Ranking | None:
    """A listing's order for a request's visitor, as their arm of an experiment has it; None for the shop's own."""
    try:
        arm = arm_of(request)
        shown(request, arm)
        if arm.ranks_with is None or len(refs) < 2:
            return None
        return rank(refs, taste_of(request), seed=uuid.uuid4().hex, serving=arm.ranks_with)
    except Exception as error:  # noqa: BLE001 - as above
        own_order(error)
        return None


def is_sorted_by_shopper(request: Any) -> bool:
    """The shopper chose an order: a sort parameter of the request holds something but the shop's own order."""
    given = _given(request)
    own = {"", *conf.RANKING["own_order"]}
    return any(given.get(name, "").lower() not in own for name in conf.RANKING["sort_parameters"])


class RankedSequence(RankedRows):
    """Anything that can be sliced, in the order its visitor sees: a list, haystack's results, a queryset.

    Args:
        items: the shop's own order of products: rows, results with ``pk`` and ``model``.
        name: tells two listings of one page apart.
        pinned, hidden: rows or primary keys that come first, or go last within the window.
    """

    def __init__(
        self, items: Any, request: Any, *, name: str = "", pinned: Any = (), hidden: Any = ()
    ) -> None:
        source = source_of(items)
        plan = OWN_ORDER
        try:
            if source.shop is not None and not is_sorted_by_shopper(request):
                plan = _plan(source, source.shop, request, name, (pinned, hidden))
        except Exception as error:  # noqa: BLE001 - as above
            own_order(error)
        super().__init__(source, plan)


def _plan(source: Source, shop: Catalogue, request: Any, name: str, wishes: tuple[Any, Any]) -> Plan:
    """How a request's visitor sees a source."""
    taste = taste_of(request)
    rules = Rules(tuple(_refs(shop, wishes[0])), frozenset(_refs(shop, wishes[1])))
    arm = arm_of(request)
    stamp = _stamp(taste, rules, arm)
    shown(request, arm)

    def ranked(keys: Sequence[str]) -> Ranking | None:
        refs = [ProductRef(shop.source, key) for key in keys]
        if arm.ranks_with is None:
            return ruled(refs, rules)
        return rank(refs, taste, rules=rules, seed=f"{taste.owner} {stamp}", serving=arm.ranks_with)

    products = source.name()
    owners = [taste.owner] if taste.owner else []
    if not products and (whose := holder_of(request)):
        owners.append(f"{arm.crowd} {whose}")
    return Plan(
        ranked,
        stamp,
        (*owners, arm.crowd),
        f"{shop.source} {name} {_host_of(request)} {products or _page_of(request)}",
        partial(in_words, request=plain_request(request)),
        "" if taste.owner else viewer_of(request),
        _given(request).get(ORDER, "")[:32],
        loose=not products,
    )


def _stamp(taste: Taste, rules: Rules, arm: Arm) -> str:
    """What an order depends on beside its products. Of visitors without a taste, time: so others are explored."""
    known = taste.stamp or str(int(time.time()) // conf.RANKING["keep_seconds"])
    settings = sorted((name, str(value)) for name, value in conf.RANKING.items())
    by = arm.ranks_with.name if arm.ranks_with else "the shop"
    return f"{by} {known} {rules.pinned} {sorted(rules.hidden)} {settings}"


def _refs(shop: Catalogue, products: Sequence[Any]) -> list[str]:
    keys = (str(getattr(one, "pk", one)) for one in products)
    return [key if key.startswith(f"{shop.source}:") else f"{shop.source}:{key}" for key in keys]


def _given(request: Any) -> Any:
    """The parameters of the page's address."""
    return getattr(plain_request(request), "GET", None) or QueryDict()


def _host_of(request: Any) -> str:
    """The site, for two sites may list other products by one statement; "" of a host that is not the shop's."""
    plain = plain_request(request)
    try:
        return str(plain.get_host()) if plain is not None else ""
    except (AttributeError, DisallowedHost):
        return ""


def _page_of(request: Any) -> str:
    """The page without its paging."""
    given = _given(request)
    kept = sorted((name, given.getlist(name)) for name in given if name not in PAGING)
    return f"{getattr(getattr(request, '_request', request), 'path', '')} {kept}"


HEADER = "Shopvision-Listing"


class PersonalisedListMixin:
    """For list views of Django and DRF: ``class Shelf(PersonalisedListMixin, ListView)``.

    Pages, and lists without pages, come in the visitor's order; DRF's cursor pagination keeps its own. What is
    shown is recorded. Django's context has ``shown``, for the attributes of the cards; a DRF answer names the
    listing in the header ``Shopvision-Listing``.
    """

    listing_name = ""
    request: Any
    _shown = ""

    def ranked(self, items: Any) -> Any:
        """The list in the visitor's order; override it to pin or hide products."""
        return rank_queryset(items, self.request, name=self.listing_name)

    def paginate_queryset(self, queryset: Any, *size: Any) -> Any:
        """A page; Django gives the size, DRF knows it."""
        parent: Any = super()
        if isinstance(getattr(self, "paginator", None), CursorPagination):
            return parent.paginate_queryset(queryset)
        rows = self.ranked(queryset)
        found = parent.paginate_queryset(rows, *size)
        if not size and found is not None:
            self._record(rows)
        return found

    def filter_queryset(self, queryset: Any) -> Any:
        """DRF's rows; of a list without pages, in the visitor's order."""
        parent: Any = super()
        rows = parent.filter_queryset(queryset)
        own: Any = self
        detail = (own.lookup_url_kwarg or own.lookup_field) in own.kwargs
        if detail or own.paginator is not None or self.request.method not in ("GET", "HEAD"):
            return rows
        found = self.ranked(rows)
        if found is rows:
            return rows
        page = found[0:]
        self._record(found)
        return page

    def get_context_data(self, *, object_list: Any = None, **more: Any) -> dict[str, Any]:
        """Django's context, with ``shown``."""
        parent: Any = super()
        own: Any = self
        rows = own.object_list if object_list is None else object_list
        if not own.get_paginate_by(rows):
            rows = self.ranked(rows)
        context: dict[str, Any] = parent.get_context_data(object_list=rows, **more)
        page = context.get("page_obj")
        start = page.start_index() - 1 if page else 0
        listed = context["object_list"] if page else context["object_list"][: conf.RANKING["window"]]
        context["shown"] = tracking.record_listing(self.request, listed, start=max(start, 0))
        return context

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """DRF's answer, with the listing's id."""
        parent: Any = super()
        response = parent.finalize_response(request, response, *args, **kwargs)
        if self._shown:
            response[HEADER] = self._shown
        return response

    def _record(self, rows: Any) -> None:
        page = rows.latest if isinstance(rows, RankedSequence) else None
        if page is not None and page.ordering is not None:
            self._shown = tracking.record_listing(self.request, page[: conf.RANKING["window"]]).id
