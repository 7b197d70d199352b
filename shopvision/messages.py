"""Messages a person may read: a stable code with parameters, put into words where it is shown."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Self

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext

TERMS = frozenset({"state", "target", "kind", "format"})
"""Parameters that are words of ours, such as a job's state: translated too, where the catalogue has them."""

_templates: dict[str, str] = {}


def _(text: str) -> str:
    """Mark a text for the translators; unlike Django's own mark it needs no settings."""
    return text


def register(templates: Mapping[str, str]) -> None:
    """Give codes their words; each package has a ``messages.py`` that does so.

    Args:
        templates: code -> English words, marked for translation; ``%(name)s`` where a parameter goes.

    Raises:
        ImproperlyConfigured: a code has other words already.
    """
    for code, template in templates.items():
        if _templates.setdefault(code, template) != template:
            raise ImproperlyConfigured(
                f"message code {code!r} has two templates: {_templates[code]!r}, {template!r}"
            )


def autodiscover() -> None:
    """Import the ``messages`` module of every package of ours that has one.

    That of the admin is left out in a project without Django's admin, where it cannot be imported.
    """
    root = __name__.rpartition(".")[0]
    absent = set() if apps.is_installed("django.contrib.admin") else {f"{root}.admin"}
    for package in pkgutil.iter_modules(import_module(root).__path__, f"{root}."):
        if package.ispkg and package.name not in absent and find_spec(f"{package.name}.messages"):
            import_module(f"{package.name}.messages")


def registered() -> Mapping[str, str]:
    """Every code with its English template."""
    return dict(_templates)


@dataclass(frozen=True, slots=True)
class Message:
    """A code with its parameters; ``str()`` gives the words in the active language.

    Args:
        code: stable, part of the public API.
        params: JSON values by name; a value may be a ``Message`` itself, or a list.
    """

    code: str
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", {name: _storable(value) for name, value in self.params.items()})

    def __str__(self) -> str:
        template = _templates.get(self.code)
        if template is None:
            known = ", ".join(f"{name}={translated(value)}" for name, value in self.params.items())
            return f"{self.code} ({known})" if known else self.code
        if settings.configured:
            template = gettext(template)
        return template % {name: _term(name, value) for name, value in self.params.items()}

    def to_json(self) -> dict[str, Any]:
        """``{"code", "params"}``, nested messages included."""
        return {"code": self.code, "params": {name: _plain(value) for name, value in self.params.items()}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``."""
        return cls(value["code"], {name: _message(one) for name, one in value.get("params", {}).items()})


def translated(value: object) -> str:
    """A stored or live message in the active language; nothing gives "", other values their ``str``."""
    found = _message(value)
    if found is None:
        return ""
    if isinstance(found, list | tuple):
        return ", ".join(translated(one) for one in found)
    return str(found)


def translated_data(value: Any) -> Any:
    """JSON values with every message in them replaced by its words."""
    if isinstance(value, Message) or (isinstance(value, Mapping) and {"code", "params"} == set(value)):
        return translated(value)
    if isinstance(value, Mapping):
        return {name: translated_data(one) for name, one in value.items()}
    return [translated_data(one) for one in value] if isinstance(value, list | tuple) else value


def error_message(error: BaseException) -> Message:
    """An exception as a message: our own errors carry one; of any other its type and text are shown."""
    found = getattr(error, "message", None)
    if isinstance(found, Message):
        return found
    return Message("unexpected_error", {"type": type(error).__name__, "text": str(error)})


class MessageEncoder(DjangoJSONEncoder):
    """JSON that may hold messages, as ``{"code", "params"}``; of a JSONField."""

    def default(self, o: Any) -> Any:
        """A message as plain values."""
        return o.to_json() if isinstance(o, Message) else super().default(o)


class MessageField(models.JSONField):
    """Stores a ``Message``; null where there is none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("null", True)
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", None)
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Message | None:
        """The message as it was stored."""
        found = super().from_db_value(value, expression, connection)
        return None if not found else Message.from_json(found)

    def to_python(self, value: Any) -> Message | None:
        """From JSON, as fixtures hold it."""
        return value if value is None or isinstance(value, Message) else Message.from_json(value)

    def get_prep_value(self, value: Any) -> Any:
        """To JSON."""
        return super().get_prep_value(_plain(value))

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        """To JSON."""
        return super().get_db_prep_value(_plain(value), connection, prepared)

    def value_to_string(self, obj: models.Model) -> Any:
        """For serializers."""
        return _plain(self.value_from_object(obj))


def _term(name: str, value: object) -> str:
    if name in TERMS and isinstance(value, str) and value and settings.configured:
        return gettext(value.replace("_", " "))
    return translated(value)


def _storable(value: Any) -> Any:
    """JSON values and messages as they are; an error's message; of anything else its text."""
    if isinstance(value, BaseException):
        return error_message(value)
    if isinstance(value, list | tuple):
        return [_storable(one) for one in value]
    return value if value is None or isinstance(value, str | bool | int | float | Message) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_json()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(one) for one in value]
    return value


def _message(value: Any) -> Any:
    if isinstance(value, Mapping) and {"code", "params"} == set(value):
        return Message.from_json(value)
    return value


register(
    {
        "placement_needs_product": _("placement '%(placement)s' needs a product"),
        "product_not_in_index": _(
            "product %(ref)s is not in the index: the shop has no such product, or no photo of it is "
            "indexed yet"
        ),
        "search_not_found": _("no such search"),
        "settings_must_be_dict": _("SHOPVISION must be a dict, not %(name)s"),
        "settings_wrong": _("%(problems)s"),
        "unexpected_error": _("%(type)s: %(text)s"),
    }
)
