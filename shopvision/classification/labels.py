"""Labels of products from the shop and from people's decisions, never from a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from ..catalogue.adapter import Catalogue
from ..types import Category
from .models import Decision

Verb = Decision.Verb
BY_PEOPLE = (Verb.ACCEPT, Verb.CORRECT, Verb.REJECT)
KEYS_AT_ONCE = 500  # products read from the shop, or keys in one query


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one product.

    Args:
        label: it carries; None if nothing that could be learned from.
        words: title and description.
        decided: by a person, in the review.
    """

    label: Category | None
    words: str
    decided: bool


def batches(keys: Iterable[str], size: int = KEYS_AT_ONCE) -> Iterator[list[str]]:
    """Some keys at a time."""
    found = iter(keys)
    while part := list(islice(found, size)):
        yield part


def told(adapter: Catalogue, target: str, keys: Sequence[str]) -> Iterator[tuple[str, Told]]:
    """What is known of each product, by key; products the shop no longer has are left out.

    A person's latest decision counts more than the shop's field: an accepted or corrected label is the label,
    a rejected one is taken back. A label that a job applied, and nobody has confirmed, is the model's own
    opinion, and no label.

    Raises:
        InvalidRequest: the shop has no such target.
    """
    for part in batches(keys):
        people, ours = standing(adapter.source, target, part)
        for key, product in adapter.get_many(part).items():
            labels = adapter.labels(product, target)
            label = _label(labels, people.get(key), ours.get(key))
            decided = key in people and people[key].verb != Verb.REJECT
            yield key, Told(label, adapter.words_of(product), decided)


def _label(labels: Sequence[Category], person: Decision | None, ours: Decision | None) -> Category | None:
    if person is not None and person.verb != Verb.REJECT:
        return next((one for one in labels if one.id == person.label), Category(person.label, person.name))
    refused = {one.label for one in (person, ours) if one is not None}
    return next((one for one in labels if one.id not in refused), None)


def standing(
    source: str, target: str, keys: Sequence[str]
) -> tuple[dict[str, Decision], dict[str, Decision]]:
    """The decisions that stand of some products, by key: people's latest, and jobs' latest that wrote."""
    rows = Decision.objects.filter(source=source, target=target, object_id__in=keys, undone_at=None)
    people: dict[str, Decision] = {}
    ours: dict[str, Decision] = {}
    for row in rows.exclude(verb=Verb.UNDO).order_by("pk"):
        (people if row.verb in BY_PEOPLE else ours)[row.object_id] = row
    return people, ours


def decided_keys(source: str, target: str, keys: Sequence[str]) -> set[str]:
    """Which of the products a person has decided of."""
    rows = Decision.objects.filter(source=source, target=target, object_id__in=keys, undone_at=None)
    return set(rows.filter(verb__in=BY_PEOPLE).values_list("object_id", flat=True))


def first(labels: Sequence[str]) -> str:
    """The most important of a product's labels; "" where it has none."""
    return labels[0] if labels else ""


def now(adapter: Catalogue, product: Any, target: str) -> list[str]:
    """Ids of the labels the shop's product carries now."""
    return [one.id for one in adapter.labels(product, target)]
