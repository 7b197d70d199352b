"""Inspect a project's models and generate the catalogue adapter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import models

from ..exceptions import InvalidRequest

OURS = {"shopvision", "admin", "auth", "contenttypes", "sessions", "messages", "staticfiles", "sites"}
PRODUCT_NAMES = ("product", "item", "article", "good", "ware", "listing", "book", "sku")
WORDS: dict[str, tuple[str, ...]] = {
    "title": ("title", "name", "headline", "label", "product_name"),
    "description": (
        "description",
        "body",
        "body_html",
        "text",
        "details",
        "summary",
        "content",
        "long_description",
    ),
    "category": (
        "category",
        "categories",
        "topics",
        "topic",
        "department",
        "section",
        "shelf",
        "collections",
        "taxon",
    ),
    "price": ("price", "cost", "amount", "unit_price", "sale_price", "price_incl_tax", "rrp"),
    "stock": ("stock", "units_left", "quantity", "inventory", "num_in_stock", "available", "in_stock", "qty"),
    "group": ("parent", "master", "parent_product", "variant_of", "group"),
    "added": ("added", "added_at", "date_added", "created_at", "created", "date_created", "published_at"),
}
FITS: dict[str, tuple[type[models.Field[Any, Any]], ...]] = {
    "title": (models.CharField, models.TextField),  # JSON of translations would be shown as {'en': ...}
    "description": (models.CharField, models.TextField),
    "price": (models.DecimalField, models.FloatField, models.IntegerField, models.CharField),
    "added": (models.DateField,),  # and DateTimeField, which is one; a flag called "added" is no date
}
ACTIVE = ("active", "is_active", "published", "is_published", "is_public", "visible", "enabled")
FILTERS = ("brand", "maker", "manufacturer", "vendor", "colour", "color", "material", "gender")


@dataclass(slots=True)
class Guess:
    """What was guessed of one product model."""

    model: type[models.Model]
    score: int = 0
    images: list[str] = field(default_factory=list)
    related: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    filters: list[str] = field(default_factory=list)
    active: str = ""
    unfit: dict[str, str] = field(default_factory=dict)  # by option, a field so called of another kind
    flags: list[str] = field(default_factory=list)  # of the tables of pictures, as ``pictures.is_primary``

    def notes(self) -> list[str]:
        """What to check by eye: every line that is written, every option that found no field, every field left."""
        notes = [
            f"images = {self.images!r}",
            *(f"{option} = {name!r}" for option, name in self.names.items()),
        ]
        if self.filters:
            notes.append(f"filters = {self.filters!r}")
        if self.related:
            notes.append(f"related = {sorted(set(self.related))!r}")
        if self.active:
            notes.append(f"visible() shows what has {self.active} = True")
        missing = [option for option in WORDS if option not in self.names]
        missing += ["filters"] if not self.filters else []
        if missing:
            notes.append(f"not found: {', '.join(missing)} (add them if your shop has them)")
        notes += [
            f"{option}: {name} is a {type(self.model._meta.get_field(name)).__name__}, which is not read as it "
            f"stands; write a method of {self.model.__name__} that gives the {option}, and name it"
            for option, name in self.unfit.items()
        ]
        if not self.active:
            notes.append(
                "no field says what is on sale: every product is shown; see visible() in the tutorial"
            )
        if unused := self.unused():
            notes.append(f"not used: {', '.join(unused)} (filters and attributes may name them)")
        if self.flags:
            notes.append(
                f"not used: {', '.join(self.flags)} (photos come in their table's own order, the first is the "
                "catalogue image; where that is wrong, images may name a method that gives them in order)"
            )
        return notes

    def unused(self) -> list[str]:
        """Fields of the product that the adapter does not name, but for its key."""
        used = {*self.images, *self.names.values(), *self.filters, self.active}
        plain = (one for one in self.model._meta.get_fields() if not one.auto_created)
        return [one.name for one in plain if one.name not in used and not getattr(one, "primary_key", False)]


def guess(label: str = "") -> Guess:
    """The project's product model, or the one named ``app.Model``, with its fields.

    Raises:
        InvalidRequest: no model has an image, or the named one does not exist or has none.
    """
    if label:
        try:
            chosen = [apps.get_model(label)]
        except (LookupError, ValueError) as error:
            raise InvalidRequest("model_not_found_because", label=label, error=error) from error
    else:
        chosen = [one for one in apps.get_models() if one._meta.app_label not in OURS and not one._meta.proxy]
    guesses = sorted((look(model) for model in chosen), key=lambda one: -one.score)
    if not guesses or not guesses[0].images:
        where = label or "the project"
        raise InvalidRequest("no_image_field_found", where=where)
    return guesses[0]


def look(model: type[models.Model]) -> Guess:
    """Score one model: images count most, then a product's name, then what products usually have."""
    found = Guess(model)
    plain = {field.name: field for field in model._meta.get_fields() if not field.auto_created}
    found.images = [name for name, one in plain.items() if isinstance(one, models.ImageField)]
    _related_images(found)
    for option, words in WORDS.items():
        called = [word for word in words if word in plain]
        name = next((word for word in called if isinstance(plain[word], FITS.get(option, object))), "")
        if name and not (option == "group" and plain[name].related_model is not model):
            found.names[option] = name
        elif called and not name:
            found.unfit[option] = called[0]
    found.filters = [name for name in FILTERS if name in plain]
    found.active = next((n for n in ACTIVE if isinstance(plain.get(n), models.BooleanField)), "")
    named = any(word in model._meta.model_name for word in PRODUCT_NAMES)  # type: ignore[operator]
    found.score = 10 * bool(found.images) + 8 * named + 3 * ("price" in found.names) + len(found.names)
    return found


def _related_images(found: Guess) -> None:
    """Tables of pictures that point at the model."""
    for relation in found.model._meta.related_objects:
        other = relation.related_model
        accessor = relation.get_accessor_name()
        if not relation.one_to_many or not accessor or other is found.model or isinstance(other, str):
            continue
        names = _fields(other, models.ImageField)
        for name in names:
            found.images.append(f"{accessor}__{name}")
            found.related.append(other._meta.label)
        if names:
            found.flags += [f"{accessor}.{name}" for name in _fields(other, models.BooleanField)]


def _fields(model: type[models.Model], kind: type[models.Field[Any, Any]]) -> list[str]:
    return [one.name for one in model._meta.get_fields() if isinstance(one, kind)]


def adapter_source(found: Guess) -> str:
    """The adapter as a file: at most 15 lines of code."""
    name = found.model.__name__
    images = repr(found.images[0]) if len(found.images) == 1 else repr(found.images).replace("'", '"')
    lines = [
        '"""How shopvision sees this shop."""',
        "",
        "from shopvision import Catalogue, register",
        "",
        f"from .models import {name}",
        "",
        "",
        f"@register({name})",
        f"class {name}Catalogue(Catalogue):",
        f"    images = {images}",
    ]
    lines += [f'    {option} = "{value}"' for option, value in found.names.items()]
    if found.filters:
        lines.append(f"    filters = {found.filters!r}")
    if found.related:
        lines.append(f"    related = {sorted(set(found.related))!r}")
    if found.active:
        lines += [
            "",
            "    def visible(self, queryset, context):",
            f"        return queryset.filter({found.active}=True)",
        ]
    return "\n".join(lines).replace("'", '"') + "\n"
