"""A sliceable sequence in ranked order, for paginators."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, SupportsIndex, cast

from django.utils.functional import SimpleLazyObject

from .. import conf, metrics, signals
from ..types import Ordering
from . import order_cache
from .deadline import apart, own_order
from .listing_sources import Source
from .order_cache import MOST_KEYS, Order, Ranking, Reason, ordered

LEAST_HELD = 0.5  # of a kept order's products are listed still, where its name does not say which those are

Ranker = Callable[[Sequence[str]], Ranking | None]
Words = Callable[[dict[str, Reason]], dict[str, str]]


class RankedPage(list[Any]):
    """Rows of one part of a listing.

    Args:
        rows: in order.
        ordering: how they came to it; None where the shop's own order was kept.
        token: names the order in the address of further pages, as the parameter ``sv``.
    """

    def __init__(self, rows: Sequence[Any], ordering: Ordering | None = None, token: str = "") -> None:
        super().__init__(rows)
        self.ordering = ordering
        self.token = token

    def __getitem__(self, wanted: Any) -> Any:
        part = super().__getitem__(wanted)
        if self.ordering is None or not isinstance(wanted, slice):
            return part
        one = self.ordering
        cut = Ordering(one.listing, one.positions[wanted], one.propensities[wanted])
        return RankedPage(part, cut, self.token)


@dataclass(frozen=True, slots=True)
class Plan:
    """How a visitor sees a listing.

    Args:
        rank: keys -> ranking, or None where there is nothing to go by; no function leaves all as it is.
        stamp: names what ``rank`` goes by; another stamp ranks anew at the next first page.
        owners: names under which this visitor's order may lie, the one to write under first.
        name: of the listing, the same at each page.
        words: reasons by key -> in words.
        viewer: names who looks at it, where several visitors share an order; "" where nobody does.
        token: of the order that the page's address names: it stands, also on the first page.
        loose: ``name`` does not say which products are listed, so that two visitors' lists may bear it. What
            nobody in particular owns is kept under it only if it was ranked, and a kept order that the source
            hardly holds is of another list.
    """

    rank: Ranker | None = None
    stamp: str = ""
    owners: tuple[str, ...] = ("",)
    name: str = ""
    words: Words = lambda reasons: {}
    viewer: str = ""
    token: str = ""
    loose: bool = False


OWN_ORDER = Plan()


class RankedRows(Sequence[Any]):
    """The products of a source, the first ones re-ordered, each exactly once over all pages.

    The first part that is asked for fixes the order; later parts keep to it, whatever was added, sold out or
    deleted meanwhile. Rows that are gone leave their place empty. Where anything of ours fails, the rows come
    in the shop's own order.

    Args:
        source: the shop's own order.
        plan: how the visitor sees it.
    """

    def __init__(self, source: Source, plan: Plan) -> None:
        self._source = source
        self._plan = plan
        self.latest: RankedPage | None = None  # part handed out last: DRF copies its rows
        self._named = [
            order_cache.key_of(owner, plan.name, plan.token) for owner in plan.owners if plan.token
        ]
        self._keys = [*self._named, *(order_cache.key_of(owner, plan.name) for owner in plan.owners)]

    @property
    def active(self) -> bool:
        """It may come in another order than the shop's own."""
        return self._plan.rank is not None

    @property
    def ordering(self) -> Ordering | None:
        """How the whole came to its order, for the impressions of a list without pages."""
        return self._whole.ordering

    @cached_property
    def _whole(self) -> RankedPage:
        return cast(RankedPage, self[0:])

    def __getattr__(self, name: str) -> Any:
        """Whatever else the shop's own list can: ``model``, ``ordered``, ``filter``, ..."""
        if name.startswith("_"):
            raise AttributeError(name)
        source = self.__dict__["_source"]
        queryset = getattr(source, "queryset", None)  # its truth would be asked of all its rows
        return getattr(source.items if queryset is None else queryset, name)

    def __len__(self) -> int:
        return len(self._whole) if "_whole" in self.__dict__ else self.count()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._whole)

    def __bool__(self) -> bool:
        return bool(self._source.own(0, 1))

    def __getitem__(self, wanted: SupportsIndex | slice) -> Any:
        if not isinstance(wanted, slice):
            place = wanted.__index__()
            part = self[place : place + 1] if place >= 0 else self._whole[place:][:1]
            if not part:
                raise IndexError(place)
            return part[0]
        start, stop = wanted.start or 0, wanted.stop
        if start < 0 or (stop is not None and stop < 0) or wanted.step not in (None, 1):
            return self._whole[wanted]
        if not self.active:
            return RankedPage(self._source.own(start, stop))
        try:
            with apart():
                self.latest = self._part(start, stop)
                return self.latest
        except Exception as error:  # noqa: BLE001 - the shop's pages never break because of us
            own_order(error)
            return RankedPage(self._source.own(start, stop))

    def count(self, value: Any = None) -> int:
        """How many places the listing has: its products, and those gone since its visitor began to page."""
        total = self._source.total()
        if not self.active:
            return total
        try:
            with apart():
                order = self._kept
                gone = len(order.keys) - self._source.alive(order.keys) if order else 0
        except Exception as error:  # noqa: BLE001 - as above
            own_order(error)
            return total
        return total + gone

    @cached_property
    def _kept(self) -> Order | None:
        """The order that this visitor's earlier pages fixed; first of all the one that the address names."""
        order = Order.read(order_cache.recall(*self._keys))
        if order and self._plan.loose and self._source.alive(order.keys) < LEAST_HELD * len(order.keys):
            return None
        return order

    def _keep(self, order: Order) -> None:
        """For the visitor's next page, and for pages whose address names it."""
        owner = self._plan.owners[0]
        names = [order_cache.key_of(owner, self._plan.name, order.listing)]
        if order.propensities or not self._plan.loose or len(self._plan.owners) > 1:
            names.append(order_cache.key_of(owner, self._plan.name))
        order_cache.remember(dict.fromkeys(names, order.plain()))
        self.__dict__["_kept"] = order

    def _part(self, start: int, stop: int | None) -> RankedPage:
        kept = self._kept
        named = kept is not None and kept.listing == self._plan.token
        order = self._first(kept) if kept is None or (start == 0 and not named) else kept
        if stop is not None and len(order.keys) < stop <= MOST_KEYS:
            missing = self._source.others(order.keys, 0, stop - len(order.keys))
            order = order.extended([self._source.key(row) for row in missing])
        if order is not kept:
            self._keep(order)
        return self._page(order, start, stop)

    def _first(self, kept: Order | None) -> Order:
        """The order a first page begins: the same again while nothing it depends on has changed."""
        keys = self._source.head(conf.RANKING["window"])
        stamp = hashlib.sha256("\0".join([self._plan.stamp, *keys]).encode()).hexdigest()[:32]
        if kept is not None and kept.stamp == stamp:
            return kept.begun(len(keys))
        try:
            ranking = self._plan.rank(keys) if self._plan.rank is not None and len(keys) > 1 else None
        except Exception as error:  # noqa: BLE001 - this order stands for the pages to come; the next listing tries again
            own_order(error)
            ranking, stamp = None, ""
        order = ordered(uuid.uuid4().hex, stamp, keys, ranking)
        if ranking is not None and signals.listing_ranked.receivers:
            moved = sum(key != own for key, own in zip(order.keys, keys, strict=True))
            signals.listing_ranked.send_robust(Order, listing=order.listing, keys=order.keys, moved=moved)
        return order

    def _page(self, order: Order, start: int, stop: int | None) -> RankedPage:
        wanted = order.keys[start:stop]
        found = self._source.rows(wanted, len(order.keys)) if wanted else {}
        shown = [place for place, key in enumerate(wanted, start) if key in found]
        rows = [found[order.keys[place]] for place in shown]
        if stop is None or stop > MOST_KEYS:
            first = max(start, len(order.keys))
            end = None if stop is None else stop - len(order.keys)
            rest = self._source.others(order.keys, first - len(order.keys), end)
            rows, shown = rows + rest, [*shown, *range(first, first + len(rest))]
        if not order.propensities:
            return RankedPage(rows, None, order.listing)
        self._explain(rows, order)
        odds = [order.propensities[place] if place < len(order.propensities) else None for place in shown]
        return RankedPage(rows, Ordering(self._listing(order), tuple(shown), tuple(odds)), order.listing)

    def _listing(self, order: Order) -> str:
        """The listing's id for events: of each viewer another one, so that none counts for another."""
        if not self._plan.viewer:
            return order.listing
        return hashlib.sha256(f"{order.listing} {self._plan.viewer}".encode()).hexdigest()[:32]

    def _explain(self, rows: Sequence[Any], order: Order) -> None:
        """Give rows their reason in words; it is looked up when a page first shows one of them."""
        reasons = {key: order.reasons[key] for key in map(self._source.key, rows) if key in order.reasons}
        words: Any = SimpleLazyObject(partial(self._in_words, reasons))
        for row in rows:
            if (key := self._source.key(row)) in reasons and hasattr(row, "__dict__"):
                row.shopvision_why = SimpleLazyObject(partial(_word, words, key))

    def _in_words(self, reasons: dict[str, Reason]) -> dict[str, str]:
        """Called while the shop's template is rendered: no words are better than no page."""
        try:
            with apart():
                return self._plan.words(reasons)
        except Exception:  # noqa: BLE001 - as above
            metrics.count("why_failed")
            metrics.log.exception("reasons could not be put in words")
            return {}


def _word(words: dict[str, str], key: str) -> str:
    return words.get(key, "")
