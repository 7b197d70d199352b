"""Translated names of models, columns and stored codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, override

CLEARER = {
    "at": "time",
    "act": "what was done",
    "verb": "what was done",
    "dim": "dimensions",
    "object id": "product key",
    "written": "written to the shop",
}
"""Columns that say too little by their own name."""
CODE = re.compile(r"[a-z][a-z0-9@]*([_ -][a-z0-9]+)*")


def speak(model: type[Model]) -> None:
    """Have Django translate a model's names, its columns' names and their help, which stand there in English.

    Done once, when the model's page is registered: said in the models they would be a migration in every shop.
    """
    meta = model._meta
    with override(None):  # a second site finds them translatable already: their English is what is looked up
        names = {name: str(getattr(meta, name)) for name in ("verbose_name", "verbose_name_plural")}
    for name, words in names.items():
        setattr(meta, name, gettext_lazy(words))
    for field in meta.fields:
        for name in ("verbose_name", "help_text"):
            words = getattr(field, name)
            if words and not isinstance(words, Promise):
                setattr(field, name, gettext_lazy(CLEARER.get(words, words)))


def word(code: object) -> str:
    """A stored code such as ``tune_from_clicks`` in words; what is no code, such as a product's name, as it is."""
    return gettext(str(code).replace("_", " ")) if CODE.fullmatch(str(code)) else str(code)


def column(field: str, head: Any, say: Callable[[object], str] = word) -> Callable[[Any, Any], str]:
    """A column of codes, or of stored sentences, as words; sorted by what is stored.

    Args:
        head: the column's, translatable. say: ``word``, or ``sentences.said``.
    """

    @admin.display(description=head, ordering=field)
    def shown(_: Any, row: Any) -> str:
        return say(getattr(row, field))

    return shown


class WordsFilter(admin.AllValuesFieldListFilter):
    """A list's filter by a column of codes, each in words."""

    def words(self, code: str) -> str:
        """What a code is called."""
        return word(code)

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """Django's choices; behind a code may stand its number of rows, in brackets."""
        for one in super().choices(changelist):
            code, bracket, number = str(one["display"]).partition(" (")
            yield {**one, "display": f"{self.words(code)}{bracket}{number}"}
