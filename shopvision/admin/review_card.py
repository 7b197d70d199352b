"""One suggestion on the review screen, and the filters of its queue."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite
from django.db.models import Count, Q, QuerySet

from .. import metrics
from ..catalogue.adapter import catalogues
from ..catalogue.models import CatalogueImage
from ..classification import explanations, review
from ..classification.models import Decision, Prediction
from ..exceptions import InvalidRequest, ShopvisionError
from .product_display import Shown, shown
from .verbose_names import word

NEAREST = 6
MOST_LABELS = 200  # in the filter's select, commonest first
DOUBTFUL = 0.5  # below it the product is more likely none of the labels than one of them
COLOURS = 4
MOST_ID = 2**63 - 1  # of a row; a larger number in an address is no row's either


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which suggestions a person looks at, as the page's address has it; None means "do not care"."""

    source: str | None = None
    target: str | None = None
    label: str | None = None
    state: str | None = None
    job: str | None = None
    min: float | None = None
    max: float | None = None
    after: int | None = None
    id: int | None = None

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> Narrowing:
        """From a query string; what cannot be read narrows nothing."""
        texts = {key: str(given.get(key) or "") or None for key in ("source", "target", "label")}
        state = given.get("state") if given.get("state") in Prediction.State.values else None
        return cls(
            **texts,
            job=_job(given.get("job")),
            state=state,
            min=_share(given.get("min")),
            max=_share(given.get("max")),
            after=_number(given.get("after")),
            id=_number(given.get("id")),
        )

    def to(self, **changes: Any) -> str:
        """The query string of the same queue at another place; ``id`` and ``after`` only if given."""
        return urlencode(replace(self, **{"id": None, "after": None, **changes}).fields)

    @property
    def fields(self) -> list[tuple[str, str]]:
        """What is given, as a form sends it."""
        found = []
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None:
                found.append((name, f"{100 * value:g}" if isinstance(value, float) else str(value)))
        return found

    @property
    def here(self) -> str:
        """This queue at this place."""
        return self.to(after=self.after)

    @property
    def whole(self) -> str:
        """This queue from its top."""
        return self.to()

    def rows(self) -> QuerySet[Prediction]:
        """The suggestions, most worth looking at first."""
        if self.state in (None, Prediction.State.SUGGESTED):
            rows = review.queue(self.source, self.target)
        else:
            rows = Prediction.objects.filter(state=self.state).order_by("-value", "id")
            rows = rows.filter(entry__source=self.source) if self.source else rows
            rows = rows.filter(target=self.target) if self.target else rows
        for lookup, value in (
            ("label", self.label),
            ("job", self.job),
            ("probability__gte", self.min),
            ("probability__lte", self.max),
        ):
            if value is not None:
                rows = rows.filter(**{lookup: value})
        return rows

    def rest(self) -> QuerySet[Prediction]:
        """Those behind the one that was looked at last."""
        rows = self.rows()
        last = Prediction.objects.filter(pk=self.after).first() if self.after else None
        if last is None:
            return rows
        return rows.filter(Q(value__lt=last.value) | Q(value=last.value, pk__gt=last.pk))


def card(where: Narrowing, site: AdminSite) -> dict[str, Any]:
    """The suggestion to look at now with all its evidence; ``prediction`` is None at the end of the queue.

    ``unknown`` says that a certain one was asked for, and is not there.
    """
    rest = where.rest()
    if where.id is not None:
        prediction = Prediction.objects.filter(pk=where.id).select_related("entry", "release").first()
    else:
        prediction = rest.select_related("entry", "release").first()
    left = rest.count()
    if prediction is None:
        unknown = where.id is not None
        return {"prediction": None, "unknown": unknown, "left": 0, "skipped": where.rows().count()}
    near = _nearest(prediction)
    products = shown([prediction.entry.ref, *(one.entry.ref for one in near)], site)
    return {
        "prediction": prediction,
        "left": left,
        "product": products[prediction.entry.ref],
        "bars": _bars(prediction),
        "doubtful": prediction.known < DOUBTFUL,
        "current": _current(prediction, products[prediction.entry.ref]),
        "colours": _colours(prediction),
        "nearest": [
            {"product": products[one.entry.ref], "name": one.name, "same": one.label == prediction.label,
             "similarity": one.similarity}
            for one in near
        ],
        "open": prediction.state in (Prediction.State.SUGGESTED, Prediction.State.APPLIED),
        "decision": _decision(prediction),
        "next": where.to(after=prediction.pk),
        "choices": choices(prediction.entry.source, prediction.target, prediction),
    }  # fmt: skip


def filters(where: Narrowing) -> dict[str, Any]:
    """What the form above the card offers."""
    sources = {source: list(adapter.targets()) for source, adapter in catalogues().items()}
    targets = sorted({target for known in sources.values() for target in known})
    rows = replace(where, label=None, min=None, max=None).rows()
    return {
        "sources": list(sources) if len(sources) > 1 else [],
        "targets": targets,
        "labels": labels_of(rows)[:MOST_LABELS],
        "states": Prediction.State.choices,
    }


def labels_of(rows: QuerySet[Prediction]) -> list[dict[str, Any]]:
    """Labels with the number of suggestions of each, commonest first."""
    counted = rows.order_by().values("label", "name").annotate(n=Count("id")).order_by("-n", "name")
    return [dict(one) for one in counted]


def samples(rows: QuerySet[Prediction], number: int, site: AdminSite) -> list[dict[str, Any]]:
    """Some suggestions with photos, the least sure first: where a mistake would be."""
    chosen = list(rows.order_by("probability", "id").select_related("entry")[:number])
    products = shown([one.entry.ref for one in chosen], site)
    return [{"prediction": one, "product": products[one.entry.ref]} for one in chosen]


def choices(source: str, target: str, prediction: Prediction) -> dict[str, str]:
    """Labels a person may correct to, ids by the words the page shows; a name that two share carries its id."""
    try:
        known = catalogues()[source].choices(target)
    except (KeyError, ShopvisionError):
        release = prediction.release
        known = {one["id"]: one["name"] for one in release.labels} if release else {}
    names = list(known.values())
    return {
        name if names.count(name) == 1 else f"{name} ({label})": label
        for label, name in sorted(known.items(), key=lambda item: item[1].lower())
    }


def label_named(prediction: Prediction, given: str) -> str:
    """The label a person typed or chose, by its words or by its id.

    Raises:
        InvalidRequest: the shop has no such label.
    """
    known = choices(prediction.entry.source, prediction.target, prediction)
    folded = {words.lower(): label for words, label in known.items()}
    if given.lower() in folded:
        return folded[given.lower()]
    if given in known.values():
        return given
    raise InvalidRequest("shop_has_no_label", code="unknown_label", target=prediction.target, label=given)


def _bars(prediction: Prediction) -> list[dict[str, Any]]:
    top = prediction.top or [
        {"label": prediction.label, "name": prediction.name, "probability": prediction.probability}
    ]
    return [{**one, "chosen": one["label"] == prediction.label} for one in top]


def _nearest(prediction: Prediction) -> list[Any]:
    """Evidence is help, not a condition: a card without it is still a card."""
    try:
        return list(explanations.nearest_labelled(prediction, NEAREST))
    except ShopvisionError as error:
        metrics.log.info("no neighbours for %s: %s", prediction, error)
        return []


def _current(prediction: Prediction, product: Shown) -> list[str]:
    """What the shop says it is now, by name."""
    if product.product is None:
        return []
    try:
        labels = catalogues()[prediction.entry.source].labels(product.product, prediction.target)
    except (KeyError, ShopvisionError):
        return []
    return [one.name for one in labels]


def _colours(prediction: Prediction) -> list[dict[str, Any]]:
    """The first photo's dominant colours as ``{name, fill}``."""
    images = CatalogueImage.objects.filter(entry_id=prediction.entry_id, state=CatalogueImage.State.INDEXED)
    first = images.order_by("position").first()
    found = (first.colours if first else [])[:COLOURS]
    return [{"name": word(one["name"]), "fill": "#{:02x}{:02x}{:02x}".format(*one["rgb"])} for one in found]


def _decision(prediction: Prediction) -> Decision | None:
    if prediction.state == Prediction.State.SUGGESTED:
        return None
    rows = Decision.objects.filter(
        source=prediction.entry.source, target=prediction.target, object_id=prediction.entry.object_id
    )
    return rows.order_by("-id").first()


def _share(given: Any) -> float | None:
    """A percentage as the form has it, 0 to 1."""
    try:
        value = float(given) / 100
    except (TypeError, ValueError):
        return None
    return value if 0 <= value <= 1 else None


def _job(given: Any) -> str | None:
    try:
        return str(uuid.UUID(str(given))) if given else None
    except ValueError:
        return None


def _number(given: Any) -> int | None:
    text = str(given or "")
    return min(int(text[:20]), MOST_ID) if text.isdecimal() else None
