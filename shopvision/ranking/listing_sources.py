"""Adapt querysets and sliceable sequences as sources of a listing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Protocol

from django.core.exceptions import EmptyResultSet
from django.db.models import Aggregate, QuerySet
from django.db.models.expressions import RawSQL
from django.db.models.query import FlatValuesListIterable, ModelIterable, ValuesIterable

from ..catalogue.adapter import Catalogue, catalogue_of
from ..catalogue.field_paths import with_keys

MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")  # a parameter that is another one at each request

SLACK = 100  # rows read beyond where a product stood


class Source(Protocol):
    """The shop's own order of some products, and what can be asked of it."""

    shop: Catalogue | None  # None: products that no catalogue of ours knows

    def name(self) -> str:
        """The same for the same listing at each request; "" where nothing tells."""

    def total(self) -> int:
        """How many there are."""

    def own(self, start: int, stop: int | None) -> list[Any]:
        """Rows of a part, in the shop's own order."""

    def head(self, count: int) -> list[str]:
        """Keys of the first ones."""

    def rows(self, keys: Sequence[str], depth: int) -> dict[str, Any]:
        """Rows by key, of products that stood among the first ``depth``; those no longer listed are left out."""

    def alive(self, keys: Sequence[str]) -> int:
        """How many of these keys, the first of an order, are listed still."""

    def others(self, keys: Sequence[str], start: int, stop: int | None) -> list[Any]:
        """Rows of a part of what is left without these keys, in the shop's own order."""

    def key(self, row: Any) -> str:
        """The key of a row."""


class QuerySource:
    """A queryset of a registered model's rows, unsliced: only keys are read to rank, only a page is loaded."""

    def __init__(self, queryset: QuerySet[Any], shop: Catalogue) -> None:
        self.queryset = queryset
        self.shop: Catalogue | None = shop
        self._shop = shop

    def name(self) -> str:
        """Digest of its statement; times of day in it, such as now, are left out."""
        sql, parameters = self.queryset.query.sql_with_params()
        kept = [text for text in map(str, parameters) if not MOMENT.match(text)]
        return hashlib.sha256("\0".join([sql, *kept]).encode()).hexdigest()

    def total(self) -> int:
        """See ``Source``."""
        return self.queryset.count()

    def own(self, start: int, stop: int | None) -> list[Any]:
        """See ``Source``."""
        return list(self.queryset[start:stop])

    def head(self, count: int) -> list[str]:
        """See ``Source``; a product that a join brings twice comes once."""
        plain = self.queryset.select_related(None).prefetch_related(None)
        return list(dict.fromkeys(map(str, plain.values_list("pk", flat=True)[:count])))

    def rows(self, keys: Sequence[str], depth: int) -> dict[str, Any]:
        """See ``Source``."""
        found = with_keys(self.queryset.order_by(), self._shop.python_keys(keys))
        return {str(row.pk): row for row in found}

    def alive(self, keys: Sequence[str]) -> int:
        """See ``Source``."""
        return with_keys(self.queryset.order_by(), self._shop.python_keys(keys)).count()

    def others(self, keys: Sequence[str], start: int, stop: int | None) -> list[Any]:
        """See ``Source``."""
        wanted = self._shop.python_keys(keys)
        if wanted and all(type(key) is int for key in wanted):  # see catalogue.keys
            listed: Any = RawSQL(",".join(map(str, wanted)), ())  # noqa: S611 - whole numbers only
        else:
            listed = wanted
        rest = self.queryset.exclude(pk__in=listed) if wanted else self.queryset
        return list(rest[start:stop])

    def key(self, row: Any) -> str:
        """See ``Source``."""
        return str(row.pk)


class SliceSource:
    """Anything with ``[a:b]`` and a length: a list, a sliced queryset, haystack's results.

    Args:
        items: the shop's own order.
        key: primary key of an item, as text.
        shop: the catalogue whose products the keys name.
    """

    def __init__(self, items: Any, key: Callable[[Any], str], shop: Catalogue | None) -> None:
        self.items = items
        self.shop = shop
        self._key = key
        self._first: list[Any] = []

    def name(self) -> str:
        """Digest of bare keys; of rows nothing tells, for they are another list's tomorrow."""
        return self.items.digest() if isinstance(self.items, Keys) else ""

    def total(self) -> int:
        """Its length; of querysets and the like, their count."""
        if isinstance(self.items, QuerySet):
            return self.items.count()
        return len(self.items)

    def own(self, start: int, stop: int | None) -> list[Any]:
        """See ``Source``."""
        return list(self.items[start:stop])

    def head(self, count: int) -> list[str]:
        """See ``Source``."""
        return list(dict.fromkeys(map(self._key, self._read(count))))

    def rows(self, keys: Sequence[str], depth: int) -> dict[str, Any]:
        """See ``Source``: looked for twice as deep as they stood, for products that came before them since."""
        wanted, found = set(keys), dict[str, Any]()
        for row in self._read(2 * depth + SLACK):
            if (key := self._key(row)) in wanted:
                found.setdefault(key, row)
        return found

    def alive(self, keys: Sequence[str]) -> int:
        """See ``Source``."""
        return len(self.rows(keys, len(keys)))

    def others(self, keys: Sequence[str], start: int, stop: int | None) -> list[Any]:
        """See ``Source``."""
        known = set(keys)
        depth = None if stop is None else stop + len(known)
        fresh = (row for row in self._read(depth) if self._key(row) not in known)
        return list(islice(fresh, start, stop))

    def key(self, row: Any) -> str:
        """See ``Source``."""
        return self._key(row)

    def _read(self, depth: int | None) -> list[Any]:
        if depth is None:
            return list(self.items[0:])
        if len(self._first) < depth:
            self._first = list(self.items[:depth])
        return self._first[:depth]


class Keys(list[Any]):
    """Primary keys of a shop's products."""

    def __init__(self, keys: Iterable[Any], shop: Catalogue) -> None:
        super().__init__(keys)
        self.shop = shop

    def digest(self) -> str:
        """Names these keys in this order."""
        return hashlib.sha256("\0".join(map(str, self)).encode()).hexdigest()


def source_of(items: Any) -> Source:
    """The source behind what a view would hand to its paginator.

    A queryset whose rows are not products, each once, has no catalogue: it keeps the shop's own order.
    """
    if isinstance(items, Keys):
        return SliceSource(items, str, items.shop)
    if isinstance(items, QuerySet):
        shop = catalogue_of(items.model) if _names_products(items) and not _may_repeat(items) else None
        whole = not items.query.is_sliced and not items.query.combinator
        if shop is not None and whole and issubclass(items._iterable_class, ModelIterable):
            return QuerySource(items, shop)
        return SliceSource(items, _key_of, shop)
    first = next(iter(items[:1]), None) if len(items) else None
    return SliceSource(items, _key_of, _shop_of(first))


def _names_products(items: QuerySet[Any]) -> bool:
    """Each row carries its product's primary key where ``_key_of`` finds it."""
    key = items.model._meta.pk.name
    fields: Any = vars(items)["_fields"]  # None of rows of the model, () of all values
    if fields is None or issubclass(items._iterable_class, ModelIterable):
        return True
    if issubclass(items._iterable_class, FlatValuesListIterable):
        return fields in (("pk",), (key,))
    if not issubclass(items._iterable_class, ValuesIterable):
        return False  # a bare tuple does not say which of its values is the key
    return "pk" in fields or (key == "id" and (not fields or "id" in fields))


def _may_repeat(items: QuerySet[Any]) -> bool:
    """A product may come twice, or a row says something of the others and its statement must not be narrowed."""
    query: Any = items.query
    if query.combinator:
        return bool(query.combinator_all or query.annotations)
    windows = getattr(query.where, "contains_over_clause", False) or any(
        one.contains_over_clause for one in query.annotations.values()
    )
    if windows or query.extra_tables or query.distinct_fields:
        return True
    shown, many = _joined(items)
    if not many or not (query.distinct or query.group_by is not None):
        return bool(many)
    return any(_reads(one, many) for one in shown)


def _joined(items: QuerySet[Any]) -> tuple[list[Any], set[str]]:
    """What a statement selects and orders by, and its tables that may have several rows of a product."""
    compiler: Any = items.query.chain().get_compiler(items.db)
    try:
        compiler.setup_query()
        order = compiler.get_order_by()  # it joins the tables that only the order needs
    except EmptyResultSet:
        order = []
    query = compiler.query
    joins = ((alias, getattr(join, "join_field", None)) for alias, join in query.alias_map.items())
    used = [(alias, way) for alias, way in joins if way is not None and query.alias_refcount.get(alias)]
    many = {alias for alias, way in used if not (way.one_to_one or (way.concrete and way.many_to_one))}
    return [*(one for one, _, _ in compiler.select), *(one for one, _ in order)], many


def _reads(part: Any, tables: set[str]) -> bool:
    """A column of these tables, not summed up to one value of each product."""
    if isinstance(part, Aggregate):
        return False
    if getattr(part, "alias", None) in tables:
        return True
    return any(_reads(one, tables) for one in part.get_source_expressions() if one is not None)


def _key_of(row: Any) -> str:
    """A row's primary key, a haystack result's, a mapping's, or the value itself."""
    if isinstance(row, Mapping):
        return str(row.get("pk", row.get("id", "")))
    return str(getattr(row, "pk", row))


def _shop_of(row: Any) -> Catalogue | None:
    """The catalogue of a row, or of the row that a search result stands for."""
    models: tuple[Any, ...] = (type(row), getattr(row, "model", None))
    found = (catalogue_of(model) for model in models if hasattr(model, "_meta"))
    return next((shop for shop in found if shop is not None), None)
