"""The products of a classify job: named, chosen in the admin, or a whole catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models

from ..catalogue.adapter import Catalogue, catalogue
from ..exceptions import InvalidRequest
from ..jobs import JobItem

MAX_REFS = 1000  # named in params
PAGE = 1000  # products a step works on; smaller ones spend more on commits than on products
Cursor = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Keys of the next products, and the cursor that comes after them."""

    keys: list[str]
    cursor: Cursor


@dataclass(frozen=True)
class Selection:
    """Products of one catalogue, in an order in which a walk can go on where it stopped.

    Args:
        adapter: of the catalogue.
        refs: keys named in the params, or None.
        chosen: number of products chosen for a job, or None.
        job: key of that job.
    """

    adapter: Catalogue
    refs: tuple[str, ...] | None = None
    chosen: int | None = None
    job: Any = None

    def count(self) -> int:
        """How many products."""
        if self.refs is not None:
            return len(self.refs)
        return self._catalogue().order_by().count() if self.chosen is None else self.chosen

    def pages(self, cursor: Mapping[str, Any]) -> Iterator[Page]:
        """Pages of keys, from a cursor on; ``{}`` is the start."""
        if self.refs is not None:
            yield from self._named(int(cursor.get("after") or 0))
        elif self.chosen is not None:
            items = JobItem.objects.filter(job=self.job)
            yield from _pages(items, "position", "key", cursor.get("last"))
        else:
            yield from _pages(self._catalogue(), "pk", "pk", cursor.get("last"))

    def _catalogue(self) -> models.QuerySet[Any]:
        return self.adapter.queryset().select_related(None).prefetch_related(None)

    def _named(self, after: int) -> Iterator[Page]:
        keys = list(self.refs or ())
        for start in range(after, len(keys), PAGE):
            part = keys[start : start + PAGE]
            yield Page(part, {"after": start + len(part)})


def _pages(rows: models.QuerySet[Any], order: str, key: str, last: Any) -> Iterator[Page]:
    """Pages of rows by a column that is ordered and unique."""
    while True:
        after = rows.filter(**{f"{order}__gt": last}) if last is not None else rows
        found = list(after.order_by(order).values_list(order, key)[:PAGE])
        if not found:
            return
        last = found[-1][0] if isinstance(found[-1][0], int) else str(found[-1][0])
        yield Page([str(one) for _, one in found], {"last": last})


def selected(params: Mapping[str, Any], job: Any = None) -> Selection:
    """Read a job's params.

    Args:
        params: ``source``, and one of: ``refs``, keys as text; ``chosen``, the number of products that were
            written for the job; or nothing more, for the whole catalogue.
        job: key of the job.

    Raises:
        InvalidRequest: a param is missing or wrong.
        Misconfigured: there is no such catalogue.
    """
    if not isinstance(params.get("source"), str):
        raise InvalidRequest("params_need_source", code="invalid_selection")
    adapter = catalogue(params["source"])
    if params.get("refs") is not None:
        return Selection(adapter, refs=_refs(params["refs"]))
    if params.get("chosen") is not None:
        return Selection(adapter, chosen=int(params["chosen"]), job=job)
    return Selection(adapter)


def _refs(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise InvalidRequest("refs_must_be_text_list", code="invalid_selection")
    if len(given) > MAX_REFS:
        raise InvalidRequest("too_many_refs", code="invalid_selection", max_refs=MAX_REFS, count=len(given))
    return tuple(dict.fromkeys(given))
