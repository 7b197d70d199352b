"""Django signal receivers for events: sign-in, deleted users, and the shop's own signals."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db import models, transaction
from django.db.models.signals import post_delete
from django.http import HttpRequest
from django.utils.module_loading import import_string

from ..catalogue.adapter import Catalogue, catalogues
from ..catalogue.order_lines import why_no_signal
from ..privacy.erasure import erase
from ..types import Subject
from . import tracking
from .login_merge import adopt


def connect(adapter: Catalogue) -> None:
    """Record an event for each signal that the adapter's ``signals`` names by kind."""
    uid = f"shopvision:{adapter.source}"
    for kind, path in adapter.signals.items():
        if not why_no_signal(path):  # a wrong path is reported by the system check
            import_string(path).connect(_told(adapter, kind), weak=False, dispatch_uid=f"{uid}:{kind}")


def connect_people() -> None:
    """Deleting a user erases their events; signing in merges the visitor's history into the user's."""
    uid = "shopvision:people"
    post_delete.connect(_user_deleted, sender=settings.AUTH_USER_MODEL, dispatch_uid=uid)
    user_logged_in.connect(_signed_in, dispatch_uid=uid)


def _user_deleted(instance: models.Model, **_: Any) -> None:
    """In the deletion's own transaction: a user whose events cannot be erased is not deleted either."""
    erase(Subject(user_id=str(instance.pk)), source="user deleted")


def _signed_in(request: HttpRequest | None = None, user: Any = None, **_: Any) -> None:
    if request is not None and user is not None:
        adopt(request, str(user.pk))


def _told(adapter: Catalogue, kind: str) -> Callable[..., None]:
    """Records what the shop's signal says once its transaction has committed: a failed order is none."""

    def receive(sender: Any = None, **told: Any) -> None:
        told["sender"] = sender
        if adapter.source in catalogues():
            transaction.on_commit(lambda: _record_told(adapter, kind, told), robust=True)

    return receive


def _record_told(adapter: Catalogue, kind: str, told: dict[str, Any]) -> None:
    request = told.get("request")
    user = told.get("user") or getattr(told.get("order"), "user", None)
    known = str(getattr(user, "pk", None) or "")
    subject = Subject(known) if request is None and known else None
    order = getattr(told.get("order"), "pk", None)
    text = str(told.get("query") or "")
    found = adapter.acted_on(kind, told) or ([(None, None)] if text else [])
    for place, (product, pieces) in enumerate(found):
        more: dict[str, Any] = {"value": pieces, "text": text}
        if order is not None:  # the same order told twice is one purchase
            name = f"{adapter.source} {kind} {order} {place} {getattr(product, 'pk', '')}"
            more["key"] = f"o:{hashlib.sha256(name.encode()).hexdigest()}"
        tracking.record(request, kind, product, subject=subject, **more)
