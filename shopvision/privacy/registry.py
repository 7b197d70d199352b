"""Registry of tables with personal data: export, erasure, retention."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db import models, router

from .. import conf
from ..types import Subject

CHUNK = 500  # names in one query, rows in one deletion: locks stay short, and SQLite's parameters suffice


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom to forget or export: the subject, and every pseudonym it can have had."""

    subject: Subject
    pseudonyms: tuple[str, ...]

    def chunks(self) -> Iterator[tuple[str, ...]]:
        """The pseudonyms, so many at a time."""
        for start in range(0, len(self.pseudonyms), CHUNK):
            yield self.pseudonyms[start : start + CHUNK]


@dataclass(frozen=True, slots=True)
class Store:
    """Something that is kept and has an end.

    Args:
        name: in receipts, exports and ``RETENTION_DAYS``.
        default_days: kept so long; None for as long as its owner lives.
        erase: forget an identity, in the caller's transaction; how many rows.
        count: how many rows an identity has.
        export: an identity's rows as JSON values, newest first.
        purge: forget what is older than a time; how many rows.
        expired: how many rows ``purge`` would forget.
        rename: give the rows of a pseudonym, written between two times, another one; how many.
    """

    name: str
    default_days: int | None = None
    erase: Callable[[Identity], int] | None = None
    count: Callable[[Identity], int] | None = None
    export: Callable[[Identity], list[dict[str, Any]]] | None = None
    purge: Callable[[datetime], int] | None = None
    expired: Callable[[datetime], int] | None = None
    rename: Callable[[str, str, datetime, datetime], int] | None = None

    @property
    def days(self) -> int | None:
        """Days kept: the shop's setting, else the default."""
        given: Mapping[str, int] = conf.RETENTION_DAYS
        return given.get(self.name, self.default_days)


_stores: dict[str, Store] = {}
_reasons: dict[str, str] = {}


def register(store: Store, model: type[models.Model] | None = None) -> None:
    """Add a store; one without a table (a cache of live profiles) registers itself too.

    Raises:
        ValueError: the name is taken.
    """
    if store.name in _stores:
        raise ValueError(f"a store called {store.name!r} is registered already")
    _stores[store.name] = store
    if model is not None:
        _reasons[model._meta.label] = ""


def unregister(name: str) -> None:
    """Forget a store (tests)."""
    _stores.pop(name, None)


def holds_personal_data(
    model: type[models.Model],
    name: str,
    *,
    days: int,
    columns: tuple[str, ...],
    subject: str = "subject",
    at: str = "at",
    blank_on_erase: bool = False,
) -> None:
    """Say that a model's rows are one subject's each.

    Args:
        days: kept by default.
        columns: shown in an export.
        subject, at: fields that hold the pseudonym and the time.
        blank_on_erase: keep the row as proof and take only the name off it.
    """
    rows = _Rows(model, subject, at, columns)
    erase = rows.blank if blank_on_erase else rows.erase
    rename = None if blank_on_erase else rows.rename
    register(Store(name, days, erase, rows.count, rows.export, rows.purge, rows.expired, rename), model)


def holds_no_person(
    model: type[models.Model],
    reason: str,
    *,
    name: str = "",
    days: int = 0,
    at: str = "at",
    purge: Callable[[datetime], int] | None = None,
) -> None:
    """Say that a model's rows are nobody's, and why.

    Args:
        name, days, at: if its rows have an end: what it is called, how long they are kept, since which field.
        purge: in place of a plain deletion.
    """
    _reasons[model._meta.label] = reason
    if name:
        rows = _Rows(model, "", at, ())
        register(Store(name, days, purge=purge or rows.purge, expired=rows.expired))


def stores() -> dict[str, Store]:
    """Every store by name."""
    return dict(_stores)


def reasons() -> dict[str, str]:
    """Why each exempt table holds no person; "" for a table that holds personal data."""
    return dict(_reasons)


def silent_models() -> list[str]:
    """Tables of ours that say nothing about personal data."""
    ours = apps.get_app_config("shopvision").get_models()
    return [one._meta.label for one in ours if not one._meta.proxy and one._meta.label not in _reasons]


def longest_days() -> int:
    """Days after which nothing can be left under any pseudonym."""
    return max((one.days or 0 for one in _stores.values() if one.erase), default=0)


class _Rows:
    """The usual way for a table with a pseudonym and a time."""

    def __init__(self, model: type[models.Model], subject: str, at: str, columns: tuple[str, ...]) -> None:
        self.model, self.subject, self.at, self.columns = model, subject, at, columns

    def _written(self) -> models.QuerySet[Any]:
        return self.model._default_manager.using(router.db_for_write(self.model))

    def _of(self, who: Identity) -> Iterator[models.QuerySet[Any]]:
        for names in who.chunks():
            yield self._written().filter(**{f"{self.subject}__in": names})

    def erase(self, who: Identity) -> int:
        """Delete them."""
        return sum(rows.delete()[0] for rows in self._of(who))

    def blank(self, who: Identity) -> int:
        """Take the name off them."""
        return sum(rows.update(**{self.subject: ""}) for rows in self._of(who))

    def rename(self, old: str, new: str, since: datetime, until: datetime) -> int:
        """Put another name on them."""
        span = {self.subject: old, f"{self.at}__gte": since, f"{self.at}__lte": until}
        return self._written().filter(**span).update(**{self.subject: new})

    def count(self, who: Identity) -> int:
        """How many there are."""
        return sum(rows.count() for rows in self._of(who))

    def export(self, who: Identity) -> list[dict[str, Any]]:
        """The columns, newest first."""
        rows = [row for part in self._of(who) for row in part.values(*self.columns, when=models.F(self.at))]
        return sorted(rows, key=lambda row: row["when"], reverse=True)

    def expired(self, before: datetime) -> int:
        """How many are older."""
        return self._older(before).count()

    def purge(self, before: datetime) -> int:
        """Delete what is older, a chunk at a time."""
        done = 0
        while keys := list(self._older(before).values_list("pk", flat=True)[:CHUNK]):
            done += self._written().filter(pk__in=keys).delete()[0]
        return done

    def _older(self, before: datetime) -> models.QuerySet[Any]:
        field = self.model._meta.get_field(self.at)
        plain_date = isinstance(field, models.DateField) and not isinstance(field, models.DateTimeField)
        return self._written().filter(**{f"{self.at}__lt": before.date() if plain_date else before})
