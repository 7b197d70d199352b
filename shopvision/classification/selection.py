"""What a job works on, as JSON: some products, what an admin's filter shows, or a whole catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models
from django.http import HttpRequest, QueryDict

from ..catalogue.adapter import Catalogue, catalogue
from ..catalogue.models import CatalogueEntry
from ..exceptions import InvalidRequest

MAX_REFS = 1000  # picked by hand; more is a filter
PAGE = 1000  # products a step works on; smaller ones spend more on commits than on products
Cursor = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Keys of the next products, and the cursor that comes after them."""

    keys: list[str]
    cursor: Cursor


@dataclass(frozen=True)
class Selection:
    """Products of one catalogue, walked by primary key so that a walk can go on where it stopped.

    Args:
        adapter: of the catalogue.
        refs: keys picked by hand, or None.
        rows: of the product model or of ``CatalogueEntry``, or None with ``refs``.
    """

    adapter: Catalogue
    refs: tuple[str, ...] | None
    rows: models.QuerySet[Any] | None

    def count(self) -> int:
        """How many products."""
        return len(self.refs or ()) if self.rows is None else self.rows.order_by().count()

    def pages(self, cursor: Mapping[str, Any]) -> Iterator[Page]:
        """Pages of keys, from a cursor on; ``{}`` is the start."""
        if self.rows is None:
            yield from self._picked(int(cursor.get("after") or 0))
            return
        last = cursor.get("last")
        entries = issubclass(self.rows.model, CatalogueEntry)
        name = "object_id" if entries else "pk"
        while True:
            rows = self.rows.order_by("pk")
            if last is not None:
                rows = rows.filter(pk__gt=last)
            found = list(rows.values_list("pk", name)[:PAGE])
            if not found:
                return
            last = str(found[-1][0])
            yield Page([str(key) for _, key in found], {"last": last})

    def _picked(self, after: int) -> Iterator[Page]:
        keys = list(self.refs or ())
        for start in range(after, len(keys), PAGE):
            part = keys[start : start + PAGE]
            yield Page(part, {"after": start + len(part)})


def selected(params: Mapping[str, Any]) -> Selection:
    """Read a job's params.

    Args:
        params: ``source``, and one of: ``refs``, keys as text; ``site``, ``query`` and ``user`` (and ``model``,
            where it is not the source's own): what that user sees in that admin under that query; or nothing
            more, for the whole catalogue.

    Raises:
        InvalidRequest: a key is missing or wrong, the filter does not hold, or the user may not see it.
        Misconfigured: there is no such catalogue.
    """
    if not isinstance(params.get("source"), str):
        raise InvalidRequest("params take 'source', as in 'shop.product'", code="invalid_selection")
    adapter = catalogue(params["source"])
    if params.get("refs") is not None:
        return Selection(adapter, _refs(params["refs"]), None)
    if params.get("site"):
        rows = _changelist(params, adapter)
        if issubclass(rows.model, CatalogueEntry):
            rows = rows.filter(source=adapter.source)
        return Selection(adapter, None, rows)
    return Selection(adapter, None, adapter.queryset().select_related(None).prefetch_related(None))


def _refs(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise InvalidRequest("'refs' takes a list of product keys as text", code="invalid_selection")
    if len(given) > MAX_REFS:
        raise InvalidRequest(
            f"'refs' takes {MAX_REFS} keys at most, not {len(given)}: select by a filter instead",
            code="invalid_selection",
        )
    return tuple(dict.fromkeys(given))


def _changelist(params: Mapping[str, Any], adapter: Catalogue) -> models.QuerySet[Any]:
    """The rows that the admin's own list shows: its filters, its search, its permissions."""
    from django.contrib.admin.options import IncorrectLookupParameters  # the shop may not use the admin
    from django.contrib.admin.views.main import ALL_VAR, PAGE_VAR

    model_admin = _model_admin(str(params["site"]), _model(params, adapter))
    request = HttpRequest()
    request.method = "GET"
    query = QueryDict(str(params.get("query") or "").lstrip("?"), mutable=True)
    for name in (PAGE_VAR, ALL_VAR):  # a page of the list is not the selection
        query.pop(name, None)
    request.GET = query  # type: ignore[assignment]
    request.user = _user(params)
    if not model_admin.has_view_or_change_permission(request):
        raise InvalidRequest(
            f"{request.user} may not see {model_admin.opts.verbose_name_plural}", code="forbidden"
        )
    try:
        shown: models.QuerySet[Any] = model_admin.get_changelist_instance(request).queryset
    except IncorrectLookupParameters as error:
        raise InvalidRequest(
            f"the filter {params.get('query')!r} does not hold: {error}", code="invalid_selection"
        ) from error
    rows: models.QuerySet[Any] = shown.model._default_manager.filter(pk__in=shown.order_by().values("pk"))
    return rows


def _model(params: Mapping[str, Any], adapter: Catalogue) -> type[models.Model]:
    """The listed model: the product's, a proxy of it, or ours."""
    label = str(params.get("model") or adapter.source)
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        raise InvalidRequest(f"there is no model {label!r}", code="invalid_selection") from None
    product = adapter.model._meta.concrete_model
    if not issubclass(model, CatalogueEntry) and model._meta.concrete_model is not product:
        raise InvalidRequest(f"{label} does not list products of {adapter.source}", code="invalid_selection")
    return model


def _model_admin(site: str, model: type[models.Model]) -> Any:
    from django.contrib.admin.sites import all_sites

    import_module(settings.ROOT_URLCONF)  # sites of the shop's own are made there
    for one in all_sites:
        if one.name == site and one.is_registered(model):
            return one.get_model_admin(model)
    raise InvalidRequest(f"no admin site called {site!r} lists {model._meta.label}", code="invalid_selection")


def _user(params: Mapping[str, Any]) -> Any:
    key: Any = params.get("user")
    try:
        user = get_user_model()._default_manager.filter(pk=key).first()
    except (TypeError, ValueError, ValidationError):  # no key of this user model
        user = None
    if user is None or not user.is_active:
        raise InvalidRequest("the user who chose the products is gone or not active", code="forbidden")
    return user
