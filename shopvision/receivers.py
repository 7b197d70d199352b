"""Signals of the shop's models -> outbox rows, in the shop's own transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db import models, router, transaction
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from . import telemetry
from .catalogue import outbox
from .catalogue.adapter import Catalogue, catalogues
from .catalogue.models import Outbox
from .types import ProductRef


def connect(adapter: Catalogue) -> None:
    """Listen to the adapter's model, its related models and their many-to-many tables."""
    uid = f"shopvision:{adapter.source}"
    for signal in (post_save, post_delete):
        signal.connect(
            _guarded(adapter, _product_changed), sender=adapter.model, weak=False, dispatch_uid=uid
        )
    for field in adapter.model._meta.many_to_many:
        m2m_changed.connect(
            _guarded(adapter, _many_changed),
            sender=field.remote_field.through,
            weak=False,
            dispatch_uid=uid,
        )
    for label in adapter.related:
        model = apps.get_model(label)
        for signal in (pre_save, post_save, post_delete):
            handler = _moved_away if signal is pre_save else _related_changed
            signal.connect(
                _guarded(adapter, handler), sender=model, weak=False, dispatch_uid=f"{uid}:{label}"
            )


def _guarded(adapter: Catalogue, handler: Callable[..., None]) -> Callable[..., None]:
    """The shop's save never breaks because of us: a failure is logged, and the reconciler finds the change."""

    def receive(sender: Any, **kwargs: Any) -> None:
        if adapter.source not in catalogues():
            return
        try:
            with transaction.atomic(using=router.db_for_write(Outbox)):  # a savepoint of our own
                handler(adapter, **kwargs)
        except Exception:  # noqa: BLE001 - whatever it is, the shop's own save goes on
            telemetry.count("receiver_failed")
            telemetry.log.exception("a change of %s was not recorded", adapter.source)

    return receive


def _record(adapter: Catalogue, keys: list[str]) -> None:
    outbox.record_changes(ProductRef(adapter.source, key) for key in keys)


def _product_changed(adapter: Catalogue, *, instance: models.Model, **_: Any) -> None:
    _record(adapter, [adapter.object_id(instance)])


def _related_changed(adapter: Catalogue, *, instance: models.Model, **_: Any) -> None:
    _record(adapter, adapter.affected(instance))


def _moved_away(adapter: Catalogue, *, instance: models.Model, raw: bool = False, **_: Any) -> None:
    """The product a related row belonged to before this save; it may have lost the row."""
    if instance.pk is None or raw:
        return
    before = type(instance)._default_manager.filter(pk=instance.pk).first()
    if before is not None:
        _record(adapter, [key for key in adapter.affected(before) if key not in adapter.affected(instance)])


def _many_changed(
    adapter: Catalogue, *, instance: models.Model, action: str, reverse: bool, pk_set: Any, **_: Any
) -> None:
    if not action.startswith("post_") and action != "pre_clear":
        return
    if not reverse:
        _record(adapter, [adapter.object_id(instance)])
    else:
        _record(adapter, [str(key) for key in pk_set or ()])
