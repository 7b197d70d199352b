"""What a job works on, as JSON: some products, what an admin's filter shows, or a whole catalogue."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.handlers.wsgi import WSGIRequest
from django.db import connections, models
from django.http import QueryDict

from ..catalogue.adapter import Catalogue, catalogue
from ..catalogue.models import CatalogueEntry
from ..exceptions import InvalidRequest, ShopvisionError

MAX_REFS = 1000  # picked by hand; more is a filter
MAX_SHOWN = 10_000  # kept of a list that only its request can make: 0.4 MB of JSON with UUID keys
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
        params: ``source``, and one of: ``refs``, keys as text; ``shown``, keys of a list, where its filter would
            not do; ``site``, ``query``, ``user`` and ``url`` (and ``model``, where it is not the source's own):
            what that user sees in that admin under that query at that address; or nothing more, for the whole
            catalogue.

    Raises:
        InvalidRequest: a key is missing or wrong, the filter does not hold, or the user may not see it.
        Misconfigured: there is no such catalogue.
    """
    if not isinstance(params.get("source"), str):
        raise InvalidRequest("params_need_source", code="invalid_selection")
    adapter = catalogue(params["source"])
    if params.get("refs") is not None:
        return Selection(adapter, _refs(params["refs"], "refs", MAX_REFS), None)
    if params.get("shown") is not None:
        return Selection(adapter, _refs(params["shown"], "shown", MAX_SHOWN), None)
    if params.get("site"):
        rows = _changelist(params, adapter)
        if issubclass(rows.model, CatalogueEntry):
            rows = rows.filter(source=adapter.source)
        return Selection(adapter, None, rows)
    return Selection(adapter, None, adapter.queryset().select_related(None).prefetch_related(None))


def shows(params: Mapping[str, Any], rows: models.QuerySet[Any]) -> bool:
    """Whether a worker that reads these params finds exactly these rows, neither more nor fewer.

    The worker has no request: what the shop's admin reads from the session, from what a middleware set, or from
    its thread, is not there. So it is asked here in a thread of its own, over this thread's connections.
    """
    try:
        found = _elsewhere(params).rows
    except InvalidRequest:  # the shop's code does without none of it, or shows this user nothing
        return False
    if found is None or found.model._meta.concrete_model is not rows.model._meta.concrete_model:
        return False
    seen = _by_key(rows)
    more = found.filter(~models.Exists(seen.filter(pk=models.OuterRef("pk"))))
    return found.db == seen.db and not more.exists() and found.count() == seen.count()


def _elsewhere(params: Mapping[str, Any]) -> Selection:
    shared = connections.all()

    def read() -> Selection:
        for one in shared:
            connections[one.alias] = one
        return selected(params)

    for one in shared:
        one.inc_thread_sharing()
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="shopvision-select") as pool:
            return pool.submit(read).result()
    finally:
        for one in shared:
            one.dec_thread_sharing()


def _by_key(rows: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """The same rows, each once, to be filtered further."""
    every: models.QuerySet[Any] = rows.model._base_manager.using(rows.db)
    return every.filter(pk__in=rows.order_by().values("pk"))


def _refs(given: Any, name: str, most: int) -> tuple[str, ...]:
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise InvalidRequest("keys_must_be_text_list", code="invalid_selection", name=name)
    if len(given) > most:
        raise InvalidRequest(
            "too_many_keys", code="invalid_selection", name=name, most=most, count=len(given)
        )
    return tuple(dict.fromkeys(given))


def _changelist(params: Mapping[str, Any], adapter: Catalogue) -> models.QuerySet[Any]:
    """The rows that the admin's own list shows: its filters, its search, its permissions."""
    model_admin = _model_admin(str(params["site"]), _model(params, adapter))
    request = _request(params)
    request.user = _user(params)
    try:
        allowed = model_admin.has_view_or_change_permission(request)
        rows = _by_key(model_admin.get_changelist_instance(request).queryset) if allowed else None
    except ShopvisionError:
        raise
    except Exception as error:  # the shop's own code, which may ask for what only a visitor's request has
        raise InvalidRequest(
            "list_filter_fails_in_worker",
            code="invalid_selection",
            model_admin=model_admin,
            params_=params.get("query"),
            name=type(error).__name__,
            error=error,
        ) from error
    if rows is None:
        raise InvalidRequest(
            "user_may_not_see_model",
            code="forbidden",
            user=request.user,
            verbose_name_plural=model_admin.opts.verbose_name_plural,
        )
    return rows


def _request(params: Mapping[str, Any]) -> WSGIRequest:
    """The request for the list, as far as it was kept: its address and its filter; no session, no cookie."""
    from django.contrib.admin.views.main import ALL_VAR, PAGE_VAR  # the shop may not use the admin

    query = QueryDict(str(params.get("query") or "").lstrip("?"), mutable=True)
    for name in (PAGE_VAR, ALL_VAR):  # a page of the list is not the selection
        query.pop(name, None)
    url = urlsplit(str(params.get("url") or ""))
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": query.urlencode(),
        "SERVER_NAME": url.hostname or "",
        "SERVER_PORT": str(url.port or {"https": 443}.get(url.scheme, 80)),
        "wsgi.url_scheme": url.scheme or "http",
        "wsgi.input": io.BytesIO(),
    }
    return WSGIRequest({**environ, "HTTP_HOST": url.netloc} if url.netloc else environ)


def _model(params: Mapping[str, Any], adapter: Catalogue) -> type[models.Model]:
    """The listed model: the product's, a proxy of it, or ours."""
    label = str(params.get("model") or adapter.source)
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError):
        raise InvalidRequest("model_not_found", code="invalid_selection", label=label) from None
    product = adapter.model._meta.concrete_model
    if not issubclass(model, CatalogueEntry) and model._meta.concrete_model is not product:
        raise InvalidRequest(
            "list_of_other_source", code="invalid_selection", label=label, source=adapter.source
        )
    return model


def _model_admin(site: str, model: type[models.Model]) -> Any:
    from django.contrib.admin.sites import all_sites

    import_module(settings.ROOT_URLCONF)  # sites of the shop's own are made there
    for one in all_sites:
        if one.name == site and one.is_registered(model):
            return one.get_model_admin(model)
    raise InvalidRequest(
        "admin_site_without_model", code="invalid_selection", site=site, label=model._meta.label
    )


def _user(params: Mapping[str, Any]) -> Any:
    key: Any = params.get("user")
    try:
        user = get_user_model()._default_manager.filter(pk=key).first()
    except (TypeError, ValueError, ValidationError):  # no key of this user model
        user = None
    if user is None or not user.is_active:
        raise InvalidRequest("selecting_user_gone", code="forbidden")
    return user
