"""Catalogue: the adapter between a shop's product model and shopvision; registration and autodiscovery."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as column
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.fields.files import FieldFile
from django.utils.module_loading import autodiscover_modules

from .. import metrics
from ..exceptions import InvalidRequest, Misconfigured
from ..types import Category, ProductRef
from . import label_fields, order_lines
from .categories import category_of
from .field_paths import follow_path, owner_keys, relation_of, why_unresolved, with_keys
from .label_fields import label_field

TAGS = re.compile(r"<[^>]+>")
MOST_VALUE = 255  # characters of a filter's value
NAMING = (
    "images", "title", "description", "category", "price", "stock", "group", "views", "added", "filters",
)  # fmt: skip
"""Options of an adapter that name fields."""


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What the shop says of a product.

    Args:
        title: for people, tags removed.
        text: title, description, category names and filter values, lower case, for word search.
        categories: with their ancestors' ids.
        price: None when it has none.
        in_stock: can be bought now.
        group: variants with one group fold onto one card; the product's own reference when it has no parent.
        filters: by name, the values of the adapter's ``filters`` as text.
    """

    title: str
    text: str
    categories: tuple[Category, ...]
    price: Decimal | None
    in_stock: bool
    group: str
    filters: Mapping[str, tuple[str, ...]] = column(default_factory=dict)


class Catalogue:
    """One of the four pluggable parts: how a shop's product model answers our questions.

    A subclass names fields; where a name is not enough, it overrides a method. A name may be a field, a path
    across relations (``images__file``), or a method of the product.
    """

    images: ClassVar[str | list[str]] = "image"
    title: ClassVar[str] = "name"
    description: ClassVar[str] = ""
    category: ClassVar[str] = ""
    price: ClassVar[str] = ""
    stock: ClassVar[str] = ""
    filters: ClassVar[list[str]] = []
    related: ClassVar[list[str]] = []
    group: ClassVar[str] = ""
    attributes: ClassVar[dict[str, str]] = {}  # what else can be recognised: {"pattern": "pattern"}
    views: ClassVar[str] = ""  # how often a product is looked at; orders the review queue
    added: ClassVar[str] = ""  # field: since when it is in the shop; listings favour what is new a little
    signals: ClassVar[dict[str, str]] = {}  # the shop's, by kind of event: {"purchase": "shop.signals.paid"}

    def __init__(self, model: type[models.Model]) -> None:
        self.model = model

    @property
    def source(self) -> str:
        """Label that names this catalogue in product references: ``app.model``, lower case."""
        return self.model._meta.label_lower

    def queryset(self) -> models.QuerySet[Any]:
        """Every product we may index; visibility is decided later, per visitor."""
        queryset = self.model._default_manager.all()
        one, many = self._relations(False), self._relations(True)
        queryset = queryset.select_related(*one) if one else queryset  # no name would mean every relation
        return queryset.prefetch_related(*many)

    def _relations(self, many: bool) -> list[str]:
        """Relations our names cross, to be fetched together."""
        found: dict[str, None] = {}
        named = [self.title, self.description, self.category, self.price, self.stock]
        for name in [*self._image_names(), *named, *self.filters]:
            step = relation_of(self.model, name)
            if step and step[1] == many:
                found[step[0]] = None
        return list(found)

    def _image_names(self) -> list[str]:
        return [self.images] if isinstance(self.images, str) else list(self.images)

    def get(self, object_id: str) -> Any | None:
        """The product with this key, or None when the shop has none."""
        return next(iter(self.get_many([object_id]).values()), None)

    def get_many(self, object_ids: Iterable[str]) -> dict[str, Any]:
        """Products by key, in one query and its prefetches; keys the shop does not have are left out."""
        rows = with_keys(self.queryset(), self.python_keys(object_ids))
        return {self.object_id(product): product for product in rows}

    def existing(self, object_ids: Iterable[str]) -> list[str]:
        """Which of these keys the shop has, in one light query."""
        keys = self.python_keys(object_ids)
        rows = self.queryset().select_related(None).prefetch_related(None).filter(pk__in=keys)
        return [str(key) for key in rows.values_list("pk", flat=True)]

    def python_keys(self, object_ids: Iterable[str]) -> list[Any]:
        """Keys as the model's primary key has them; texts that are no key are left out."""
        field, found = self.model._meta.pk, []
        for key in object_ids:
            try:
                value = field.to_python(key)
                field.run_validators(value)  # a number too large for the database is no key either
                found.append(value)
            except ValidationError:
                continue
        return found

    def visible(self, queryset: models.QuerySet[Any], context: Any) -> models.QuerySet[Any]:
        """The products this visitor may see; ``context`` is the request, or None outside one."""
        return queryset

    def object_id(self, product: Any) -> str:
        """The product's primary key as text; of a row of a model made from it, the product's own."""
        return str(getattr(product, self.model._meta.pk.attname, None) or product.pk)

    def ref(self, product: Any) -> ProductRef:
        """The product's reference."""
        return ProductRef(self.source, self.object_id(product))

    def image_files(self, product: Any) -> list[FieldFile]:
        """Photos in order, the catalogue image first; empty fields and repeats are left out."""
        files: dict[str, FieldFile] = {}
        for name in self._image_names():
            for value in self._values(product, name):
                if isinstance(value, FieldFile) and value.name:
                    files.setdefault(value.name, value)
        return list(files.values())

    def facts(self, product: Any) -> ProductFacts:
        """Title, words, categories, price, stock and group as the shop has them now."""
        title = self.title_of(product)
        categories = tuple(self.categories(product))
        words = [title, _plain(self._one(product, self.description)), *(one.name for one in categories)]
        values = {name: self.filter_values(product, name) for name in self.filters}
        words += [value for held in values.values() for value in held]
        return ProductFacts(
            title=title,
            text=" ".join(words).lower(),
            categories=categories,
            price=self.price_of(product),
            in_stock=self.in_stock(product),
            group=self.group_of(product),
            filters={name: values[name] for name in self.filter_names()},
        )

    def filter_names(self) -> list[str]:
        """Names a search can be filtered by, value for value; category, price and stock have their own ways."""
        return [name for name in self.filters if name not in (self.category, self.price, self.stock)]

    def filter_values(self, product: Any, name: str) -> tuple[str, ...]:
        """A filter's values as text, each once; empty ones are left out."""
        found = (_plain(value)[:MOST_VALUE] for value in self._values(product, name))
        return tuple(dict.fromkeys(value for value in found if value))

    def title_of(self, product: Any) -> str:
        """The title without tags; the product's own text when it has none."""
        return _plain(self._one(product, self.title)) or str(product)

    def words_of(self, product: Any) -> str:
        """Title and description without tags: what a classifier may read; no category, which would tell it all."""
        return f"{self.title_of(product)} {_plain(self._one(product, self.description))}".strip()

    def price_of(self, product: Any) -> Decimal | None:
        """The price as a Decimal; None when there is none or it is no number."""
        value = self._one(product, self.price)
        try:
            price = None if value is None or value == "" else Decimal(str(value))
        except InvalidOperation:
            return None
        return price if price is not None and price.is_finite() else None

    def in_stock(self, product: Any) -> bool:
        """Can it be bought now; a number counts as in stock above zero, and no stock field as always."""
        if not self.stock:
            return True
        values = self._values(product, self.stock)
        return any(value > 0 if isinstance(value, (int, float, Decimal)) else bool(value) for value in values)

    def group_of(self, product: Any) -> str:
        """Key of the group of variants, with the source, so that two catalogues never meet."""
        parent = self._one(product, self.group)
        key = parent.pk if isinstance(parent, models.Model) else parent
        return f"{self.source}:{self.object_id(product) if key in (None, '') else key}"

    def categories(self, product: Any) -> list[Category]:
        """The product's categories; an object's ancestors through its ``parent``, a text's through ``A > B``."""
        found: dict[str, Category] = {}
        for value in self._values(product, self.category):
            one = category_of(value)
            if one:
                found.setdefault(one.id, one)
        return list(found.values())

    def targets(self) -> dict[str, str]:
        """What can be recognised, with the name each is read from: ``category`` and the attributes."""
        return {**({"category": self.category} if self.category else {}), **self.attributes}

    def labels(self, product: Any, target: str) -> list[Category]:
        """What the shop says a product is, most important first; empty when it says nothing.

        Raises:
            InvalidRequest: no such target.
        """
        found = (category_of(value) for value in self._values(product, self._name_of(target)))
        return list({one.id: one for one in found if one}.values())

    def choices(self, target: str) -> dict[str, str]:
        """Every label the shop knows, names by id: rows of the related table, or the texts in use."""
        name = self._name_of(target)
        field = label_field(self.model, name, target)
        if field.is_relation:
            return {str(one.pk): str(one) for one in field.related_model._default_manager.all()}
        texts = self.model._default_manager.exclude(**{name: ""}).order_by(name)
        found = (category_of(text) for text in texts.values_list(name, flat=True).distinct())
        return {one.id: one.name for one in found if one}

    def apply_classification(self, product: Any, target: str, label: str) -> Any:
        """Write a label to the product and save it; what was there before, as JSON.

        Raises:
            InvalidRequest: the shop has no such label.
            Misconfigured: the target is no plain field of the product; override this.
        """
        return label_fields.write(product, label_field(self.model, self._name_of(target), target), label)

    def restore_classification(self, product: Any, target: str, before: Any) -> None:
        """Undo ``apply_classification``: put back what it returned."""
        label_fields.restore(product, label_field(self.model, self._name_of(target), target), before)

    def _name_of(self, target: str) -> str:
        if target not in self.targets():
            known = ", ".join(self.targets()) or "none: the adapter names no category and no attributes"
            raise InvalidRequest(
                "unknown_target", code="unknown_target", source=self.source, target=target, known=known
            )
        return self.targets()[target]

    def views_of(self, product: Any) -> float:
        """How often the product was looked at, as the shop counts it; 0 when it does not."""
        value = self._one(product, self.views)
        return float(value) if isinstance(value, (int, float, Decimal)) and value > 0 else 0.0

    def acted_on(self, kind: str, told: Mapping[str, Any]) -> list[tuple[Any, float | None]]:
        """Products that a signal of ``signals`` speaks of, each with its number of pieces if known.

        Args:
            kind: of event.
            told: the signal's keyword arguments: ``product``, ``products``, or an ``order`` or ``basket``
                with ``lines`` that have a ``product`` and perhaps a ``quantity``; else override this.
        """
        return order_lines.products_in(told)

    def url(self, product: Any) -> str:
        """The product's page; empty when the model has no ``get_absolute_url``."""
        get_url = getattr(product, "get_absolute_url", None)
        try:
            return str(get_url()) if callable(get_url) else ""
        except Exception as error:  # noqa: BLE001 - the shop's own code; one product must not spoil an answer
            metrics.warn_once("address_missing", self.source, f"{self.ref(product)} has no address", error)
            return ""

    def affected(self, instance: models.Model) -> list[str]:
        """Keys of the products that a related row belongs to, as the row stands in memory.

        Finds every foreign key of the row that points at the product model, and relations from the product
        to the row; a shop with longer paths overrides this.
        """
        return owner_keys(self.model, instance)

    def problems(self) -> list[str]:
        """What is wrong with the adapter's names, in words; empty when all resolve."""
        found = []
        for option in NAMING:
            value = getattr(self, option)
            for name in value if isinstance(value, list) else [value]:
                problem = why_unresolved(self.model, name) if name else None
                if problem:
                    found.append(f"{type(self).__name__}.{option} = {name!r}: {problem}")
        found += [
            f"{type(self).__name__}.signals[{kind!r}] = {path!r}: {problem}"
            for kind, path in self.signals.items()
            if (problem := order_lines.why_no_signal(path))
        ]
        for attribute, name in self.attributes.items():
            problem = why_unresolved(self.model, name)
            if problem:
                found.append(f"{type(self).__name__}.attributes[{attribute!r}] = {name!r}: {problem}")
        return found

    def _one(self, product: Any, name: str) -> Any:
        return next(iter(self._values(product, name)), None)

    def _values(self, product: Any, name: str) -> list[Any]:
        return follow_path(product, name, self.model)


def _plain(value: Any) -> str:
    return " ".join(TAGS.sub(" ", str(value)).split()) if value not in (None, "") else ""


_registry: dict[str, Catalogue] = {}
on_register: list[Callable[[Catalogue], None]] = []
"""Called for each new catalogue; ``apps`` connects its signals here."""


def register(model: type[models.Model]) -> Callable[[type[Catalogue]], type[Catalogue]]:
    """Class decorator: ``@register(Product)`` above a ``Catalogue``.

    Raises:
        Misconfigured: the model is registered already, or is abstract.
    """

    def decorate(cls: type[Catalogue]) -> type[Catalogue]:
        if model._meta.abstract:
            raise Misconfigured("model_is_abstract", label=model._meta.label)
        adapter = cls(model)
        if adapter.source in _registry:
            known = type(_registry[adapter.source]).__name__
            raise Misconfigured("model_already_registered", label=model._meta.label, known=known)
        _registry[adapter.source] = adapter
        for hook in on_register:
            hook(adapter)
        return cls

    return decorate


def unregister(model: type[models.Model]) -> None:
    """Forget a model's adapter; signals of the model are ignored from then on."""
    _registry.pop(model._meta.label_lower, None)


def catalogues() -> Mapping[str, Catalogue]:
    """Every registered catalogue by source label."""
    return dict(_registry)


def catalogue(source: str) -> Catalogue:
    """The catalogue with this label.

    Raises:
        Misconfigured: there is none.
    """
    try:
        return _registry[source]
    except KeyError:
        known = ", ".join(_registry) or "none is registered; run shopvision_init"
        raise Misconfigured("unknown_catalogue", source=source, known=known) from None


def catalogue_of(model: type[models.Model]) -> Catalogue | None:
    """The catalogue of a model's rows, or of those it is a proxy of or shares its keys with; None else."""
    for base in model.__mro__:
        found = _registry.get(base._meta.label_lower) if hasattr(base, "_meta") else None
        link = model._meta.get_ancestor_link(base) if found else None
        if found and (link is None or link.primary_key):
            return found
    return None


def autodiscover() -> None:
    """Import every app's ``shopvision_catalogue`` module, as the admin imports ``admin``."""
    autodiscover_modules("shopvision_catalogue")
