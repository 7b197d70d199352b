"""PersonalisedListMixin: list views of Django and of DRF in the order their visitor sees."""

from __future__ import annotations

from typing import Any

from rest_framework.pagination import CursorPagination

from .. import behaviour, conf
from .grips import RankedSequence, rank_queryset

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
        context["shown"] = behaviour.record_listing(self.request, listed, start=max(start, 0))
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
            self._shown = behaviour.record_listing(self.request, page[: conf.RANKING["window"]]).id
