"""Django signal receivers that record catalogue changes in the outbox."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.apps import apps
from django.db import models, router, transaction
from django.db.models.signals import ModelSignal, m2m_changed, post_delete, post_save, pre_delete, pre_save

from .. import metrics
from ..types import ProductRef
from . import outbox
from .adapter import Catalogue, catalogues


def connect(adapter: Catalogue) -> None:
    """Listen to the adapter's model, its related models and their many-to-many tables."""
    uid = f"shopvision:{adapter.source}"
    for signal in (post_save, post_delete):
        _listen(signal, adapter.model, _guarded(adapter, _product_changed), uid)
    for field in adapter.model._meta.many_to_many:
        changed, leaves = partial(_many_changed, name=field.name), partial(_many_leaves, name=field.name)
        m2m_changed.connect(
            _guarded(adapter, changed), sender=field.remote_field.through, weak=False, dispatch_uid=uid
        )
        _listen(pre_delete, field.related_model, _guarded(adapter, leaves), f"{uid}.{field.name}")
    for label in adapter.related:
        for signal in (pre_save, post_save, post_delete):
            handler = _moved_away if signal is pre_save else _related_changed
            _listen(signal, apps.get_model(label), _guarded(adapter, handler), f"{uid}:{label}")


def _listen(signal: ModelSignal, model: type[models.Model], receive: Callable[..., None], uid: str) -> None:
    """Also to the model's proxies and to models made from it: a signal names the class that was saved."""
    concrete = model._meta.concrete_model or model
    family = (one for one in apps.get_models() if issubclass(one, concrete))
    for sender in dict.fromkeys([concrete, *family]):
        signal.connect(receive, sender=sender, weak=False, dispatch_uid=uid)


def _guarded(adapter: Catalogue, handler: Callable[..., list[str]]) -> Callable[..., None]:
    """The shop's save never breaks because of us: a failure is logged, and the reconciler finds the change."""

    def receive(sender: Any, using: str | None = None, **kwargs: Any) -> None:
        if adapter.source not in catalogues():
            return
        shops = using or router.db_for_write(adapter.model)
        try:
            with transaction.atomic(using=shops):  # a savepoint of our own
                keys = handler(adapter, **kwargs)
                outbox.record_changes((ProductRef(adapter.source, key) for key in keys), changed_in=shops)
        except Exception:  # noqa: BLE001 - whatever it is, the shop's own save goes on
            metrics.count("receiver_failed")
            metrics.log.exception("a change of %s was not recorded", adapter.source)

    return receive


def _product_changed(adapter: Catalogue, *, instance: models.Model, **_: Any) -> list[str]:
    return [adapter.object_id(instance)]


def _related_changed(adapter: Catalogue, *, instance: models.Model, **_: Any) -> list[str]:
    before = vars(instance).pop(f"_shopvision_{adapter.source}", [])
    return list(dict.fromkeys([*before, *adapter.affected(instance)]))


def _moved_away(adapter: Catalogue, *, instance: models.Model, raw: bool = False, **_: Any) -> list[str]:
    """Keeps the product a related row belonged to until it is saved: told now, a worker may come too early."""
    if instance.pk is None or raw:
        return []
    rows = type(instance)._base_manager.using(instance._state.db)  # a proxy's own manager may hide the row
    before = rows.filter(pk=instance.pk).first()
    if before is not None:
        vars(instance)[f"_shopvision_{adapter.source}"] = adapter.affected(before)
    return []


def _many_changed(
    adapter: Catalogue,
    *,
    name: str,
    instance: models.Model,
    action: str,
    reverse: bool,
    pk_set: Any,
    **_: Any,
) -> list[str]:
    if not action.startswith("post_") and action != "pre_clear":
        return []
    if not reverse:
        return [adapter.object_id(instance)]
    if action == "pre_clear":  # no keys are told, and afterwards none are left to be read
        return _many_leaves(adapter, name=name, instance=instance)
    return [str(key) for key in pk_set or ()]


def _many_leaves(adapter: Catalogue, *, name: str, instance: models.Model, **_: Any) -> list[str]:
    """A row that products point at through a many-to-many field goes; Django tells nothing of the rows between."""
    found = adapter.model._base_manager.using(instance._state.db).filter(**{name: instance})
    return [str(key) for key in found.values_list("pk", flat=True)]
