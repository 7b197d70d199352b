"""Frozen dataclasses that cross packages."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from .messages import Message

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Region:
    """A box on the upright image: ``x0 y0 x1 y1``, each in [0, 1], ``x0 < x1`` and ``y0 < y1``.

    Raises:
        ValueError: a corner lies outside [0, 1], is not finite, or the box is empty.
    """

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not (0.0 <= self.x0 < self.x1 <= 1.0 and 0.0 <= self.y0 < self.y1 <= 1.0):
            raise ValueError(
                f"region {self.box()} is not a box: it takes x0,y0,x1,y1 in [0, 1] with x0 < x1 and y0 < y1"
            )

    def box(self) -> tuple[float, float, float, float]:
        """The four corners in order."""
        return (self.x0, self.y0, self.x1, self.y1)


FULL_FRAME = Region(0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, order=True)
class ProductRef:
    """A product of the shop's: source label (``app.model``, lower case) and its primary key as text."""

    source: str
    object_id: str

    def __str__(self) -> str:
        return f"{self.source}:{self.object_id}"

    @classmethod
    def parse(cls, text: str) -> ProductRef:
        """Read ``app.model:key``.

        Raises:
            ValueError: the text has no source label or no key.
        """
        source, colon, object_id = text.partition(":")
        if not (source and colon and object_id):
            raise ValueError(f"{text!r} names no product: it takes 'app.model:key', as in 'shop.product:482'")
        return cls(source, object_id)


@dataclass(frozen=True, slots=True)
class Category:
    """A category of the shop's, with its ancestors' ids (nearest last; without itself)."""

    id: str
    name: str
    ancestors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """What a shopper narrows a search to; ``None`` means "do not care".

    Args:
        categories: any of these category ids (a product also carries its categories' ancestors).
        price_min, price_max: inclusive, in the shop's currency; a product without a price never passes.
        in_stock: only in stock (True) or only out of stock (False).
        sources: any of these source labels.
        values: by a filter's name (``Catalogue.filters``), any of these values; each name must pass.
        products: only these catalogue entries (primary keys).
        exclude: none of these catalogue entries.
    """

    categories: frozenset[str] | None = None
    price_min: Decimal | None = None
    price_max: Decimal | None = None
    in_stock: bool | None = None
    sources: frozenset[str] | None = None
    values: tuple[tuple[str, frozenset[str]], ...] = ()
    products: frozenset[int] | None = None
    exclude: frozenset[int] = frozenset()

    def is_empty(self) -> bool:
        """True when every product passes."""
        return self == EVERYTHING


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True)
class Hit:
    """A product found, with how near it is.

    Args:
        product: which one.
        similarity: cosine in [-1, 1] between the query and the product's nearest photo.
        percentile: share (0-100) of unrelated product pairs of this shop that are less alike; None while the
            shop has too few products to say.
        image: name of the product's nearest photo in the shop's storage.
        why: reasons in words, best first ("same shape", "same colour: navy").
        region: where on the product's photo the match lies, if known.
        facts: what the shop's database says now (title, url, image, price, in_stock, category).
    """

    product: ProductRef
    similarity: float
    percentile: float | None
    image: str
    why: tuple[str, ...] = ()
    region: Region | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prediction:
    """A label with its calibrated probability."""

    label: str
    name: str
    probability: float


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an answer is for: a user, an anonymous visitor, or nobody known (all empty)."""

    user_id: str = ""
    visitor: str = ""


@dataclass(frozen=True, slots=True)
class Match:
    """Does the shop sell it: ``strong``, ``weak`` or ``none``, and how sure (0-1) we are that it does."""

    level: str
    probability: float


@dataclass(frozen=True, slots=True)
class Ordering:
    """How products on a page came to their order, for the impressions.

    Args:
        listing: its id.
        positions: of each product, from 0 over all pages.
        propensities: with which probability each stands where it does; None where no ranker chose.
    """

    listing: str
    positions: tuple[int, ...]
    propensities: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Ordered products shown together, with an id under which further pages can be asked for.

    Args:
        timings: milliseconds by stage (``decode``, ``encode``, ``index``, ``facts``, ...) of this answer.
        ordering: positions and odds, where a ranker ordered it.
    """

    id: str
    hits: tuple[Hit, ...]
    count: int
    match: Match | None = None
    query: Mapping[str, Any] = field(default_factory=dict)
    facets: Mapping[str, Any] = field(default_factory=dict)
    encoder: str = ""
    index: Mapping[str, Any] = field(default_factory=dict)
    took_ms: float = 0.0
    timings: Mapping[str, float] = field(default_factory=dict)
    ordering: Ordering | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """How far a long job has come; it yields one after each batch.

    Args:
        done, failed: items worked off since the last step.
        total: items in all, once known.
        cursor: where to go on if the job stops here; JSON.
        message: what it is doing, for a person.
        result: figures to keep at the end; JSON. Later steps replace earlier keys.
        errors: what went wrong with single items, by the item's name.
    """

    done: int = 0
    failed: int = 0
    total: int | None = None
    cursor: Mapping[str, Any] = field(default_factory=dict)
    message: Message | None = None
    result: Mapping[str, Any] = field(default_factory=dict)
    errors: Mapping[str, Message] = field(default_factory=dict)

    @staticmethod
    def told(work: Generator[Message, None, Outcome]) -> Generator[Step, None, Outcome]:
        """What long work says it does next, as steps; hands on what the work ends with."""
        while True:
            try:
                yield Step(message=next(work))
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome
