"""Read and write the label of a product: foreign key, many-to-many relation or text."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models, transaction

from ..exceptions import InvalidRequest, Misconfigured


def label_field(model: type[models.Model], name: str, target: str) -> Any:
    """The product's own field that holds a label.

    Raises:
        Misconfigured: the adapter's name is no plain field, so only the adapter knows how to write it.
    """
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        field = None
    writable = field is not None and (
        getattr(field, "concrete", False) or getattr(field, "many_to_many", False)
    )
    if not writable:
        raise Misconfigured("label_field_not_own", target=target, label=model._meta.label, name=name)
    return field


def read(product: Any, field: Any) -> Any:
    """What the field holds now, as JSON: a list of keys, a key, or a text."""
    if field.many_to_many:
        return sorted(str(key) for key in getattr(product, field.name).values_list("pk", flat=True))
    value = getattr(product, field.attname)
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def write(product: Any, field: Any, label: str) -> Any:
    """Set the field to a label and save the product, under a lock of its row; what it held before.

    A relation to many gets the label beside those it has. The product is saved as the shop saves it, so its
    own signals are sent.

    Raises:
        InvalidRequest: the shop has no such label.
    """
    with transaction.atomic():
        product = type(product)._default_manager.select_for_update().get(pk=product.pk)
        before = read(product, field)
        if field.many_to_many:
            getattr(product, field.name).add(_related(field, label))
        else:
            _set(product, field, _related(field, label).pk if field.is_relation else label)
    return before


def restore(product: Any, field: Any, before: Any) -> None:
    """Put back what ``write`` found."""
    with transaction.atomic():
        product = type(product)._default_manager.select_for_update().get(pk=product.pk)
        if field.many_to_many:
            getattr(product, field.name).set(before or [])
        else:
            _set(product, field, before)


def _set(product: Any, field: Any, value: Any) -> None:
    if value is None and not field.null:
        value = field.get_default()
    setattr(product, field.attname, value)
    product.save(update_fields=[field.name])


def _related(field: Any, label: str) -> Any:
    try:
        return field.related_model._default_manager.get(pk=label)
    except (field.related_model.DoesNotExist, ValueError, ValidationError):
        raise InvalidRequest(
            "unknown_related_label",
            code="unknown_label",
            verbose_name=field.related_model._meta.verbose_name,
            label=label,
        ) from None
