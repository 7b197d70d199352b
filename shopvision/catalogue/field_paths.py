"""Resolve adapter paths: fields, relations and methods of a product model."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, TypeVar

from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db import models
from django.db.models.expressions import RawSQL

from ..exceptions import Misconfigured

Row = TypeVar("Row", bound=models.Model)


def with_keys(queryset: models.QuerySet[Row], keys: Sequence[Any]) -> models.QuerySet[Row]:
    """The rows with these primary keys.

    Whole numbers are written into the statement: Django takes 4 us for each parameter of an IN, which at the
    135 products of a search is more than the database takes to answer.
    """
    if keys and all(type(key) is int for key in keys):
        return queryset.filter(pk__in=RawSQL(",".join(map(str, keys)), ()))  # noqa: S611 - whole numbers only
    return queryset.filter(pk__in=keys)


def follow(value: Any, name: str, model: type[models.Model]) -> list[Any]:
    """The values one step further: a relation to many gives many, a method is called, None gives none.

    Raises:
        Misconfigured: there is no such step; the message names the adapter's ``model``.
    """
    try:
        found = getattr(value, name)
    except ObjectDoesNotExist:  # an empty one-to-one
        return []
    except AttributeError as error:
        problem = why_unresolved(type(value), name)
        raise Misconfigured(
            "adapter_path_unresolved", label=model._meta.label, name=name, problem=problem
        ) from error
    if hasattr(found, "all") and callable(found.all):
        return list(found.all())
    if callable(found):
        found = found()
    if isinstance(found, (list, tuple)):
        return list(found)
    return [] if found is None else [found]


def follow_path(product: Any, name: str, model: type[models.Model]) -> list[Any]:
    """What a path leads to: a relation to many gives many values, a method is called; none for no name."""
    found = [product] if name else []
    for step in name.split("__"):
        found = [further for value in found for further in follow(value, step, model)]
    return found


def model_of(related: Any) -> type[models.Model]:
    """The model at a relation's other end; the base class where it is generic."""
    return related if isinstance(related, type) else models.Model


def accessor_of(field: Any) -> str:
    """The attribute a relation is reached by."""
    return str(field.get_accessor_name()) if hasattr(field, "get_accessor_name") else str(field.name)


def owner_keys(model: type[models.Model], instance: models.Model) -> list[str]:
    """Keys of the model's rows that a related row points at, or that point at it."""
    keys: dict[str, None] = {}
    for field in instance._meta.get_fields():
        if field.related_model is None or not issubclass(model, model_of(field.related_model)):
            continue
        if field.many_to_one or (field.one_to_one and field.concrete):
            key = getattr(instance, getattr(field, "attname", field.name), None)
            if key is not None:
                keys[str(key)] = None
        elif instance.pk is not None:
            manager = getattr(instance, accessor_of(field), None)
            if manager is not None and hasattr(manager, "values_list"):
                keys.update(dict.fromkeys(map(str, manager.values_list("pk", flat=True))))
    return list(keys)


def relation_of(model: type[models.Model], name: str) -> tuple[str, bool] | None:
    """The relation a name starts with, and whether it leads to many."""
    try:
        field = model._meta.get_field(name.split("__")[0]) if name else None
    except FieldDoesNotExist:
        return _reverse(model, name.split("__")[0])
    if field is None or not field.is_relation:
        return None
    return name.split("__")[0], bool(field.many_to_many or field.one_to_many)


def _reverse(model: type[models.Model], name: str) -> tuple[str, bool] | None:
    """A reverse relation by its accessor (``image_set``)."""
    for field in model._meta.related_objects:
        if field.get_accessor_name() == name:
            return name, not field.one_to_one
    return None


def _names(model: type[Any]) -> list[str]:
    fields = [field.name for field in model._meta.get_fields()] if hasattr(model, "_meta") else []
    return [*fields, *(name for name in dir(model) if not name.startswith("_"))]


def why_unresolved(model: type[Any], name: str) -> str | None:
    """Why the first unknown step of a path is unknown, or None when the path resolves."""
    for step in name.split("__"):
        found = relation_of(model, step) if hasattr(model, "_meta") else None
        if found:
            related = next(
                f
                for f in model._meta.get_fields()
                if step in (f.name, accessor_of(f) if f.is_relation else "")
            )
            model = model_of(related.related_model)
            continue
        if step not in _names(model):
            near = difflib.get_close_matches(step, _names(model), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"{model.__name__} has no field or method {step!r}{hint}"
        return None
    return None
