"""Index contract: exact filtered nearest-neighbour search over one encoder release."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ..types import EVERYTHING, Filter


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One photo of one product, as the index keeps it.

    Args:
        id: primary key of the photo (CatalogueImage), unique in an index.
        product: primary key of the product's CatalogueEntry; rows of one product fold to one neighbour.
        vector: float32 (D,), unit norm.
        categories: ids of the product's categories and of all their ancestors.
        price: in the shop's currency; None when it has none.
        in_stock: can be bought now.
        source: the catalogue's source label.
        values: what else can be filtered on, as ``token`` writes it.
    """

    id: int
    product: int
    vector: np.ndarray
    categories: tuple[str, ...] = ()
    price: float | None = None
    in_stock: bool = True
    source: str = ""
    values: tuple[str, ...] = ()


def token(name: str, value: str) -> str:
    """A filter's name and one of its values as a row keeps them; a name never holds an equals sign."""
    return f"{name}={value}"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest products, best first, each by its nearest photo; ties by lower product id.

    Three arrays of one length n <= k: ``ids`` int64 (the photo), ``products`` int64, ``similarities``
    float32 (cosine, exact to the index's storage precision). No product twice. Beside them the state of the
    index that was asked, so that one search is one call.

    Args:
        count: photos that can be found.
        sequence: last change of the database that is in the index; 0 for an index that holds nothing yet.
        as_of: when that change was applied; None for an empty index.
    """

    ids: np.ndarray
    products: np.ndarray
    similarities: np.ndarray
    count: int
    sequence: int
    as_of: datetime | None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class IndexHealth:
    """What an operator needs to know.

    Args:
        ok: can be queried.
        detail: in words, for a person; empty when ok.
        count: photos that can be found.
        sequence: last change of the database that is in the index.
        as_of: when that change was applied; None for an empty index.
        bytes: on disk.
    """

    ok: bool
    detail: str
    count: int
    sequence: int
    as_of: datetime | None
    bytes: int


class VectorIndex(ABC):
    """Searchable vectors of one encoder release. One of the four pluggable parts.

    Derived data: everything in it can be rebuilt from the database. Several processes open the index of one
    release; one at a time writes (the others wait for a lock), all read. A change is visible to the writer's own
    next query at once, and to other processes of the host within a second. ``tests/contracts/index.py`` has the
    suite that every backend passes.

    Attributes:
        shared_between_hosts: what one host applies, all hosts find; then only workers apply changes. Otherwise
            every host follows the feed of changes into an index of its own.

    Args:
        digest: of the encoder release; every ``apply`` and ``query`` must carry the same. Where the data of a
            release lies (a folder, a table, a collection) is the backend's own business.
        dim: D.
        options: of ``SHOPVISION["INDEX"]["OPTIONS"]``; a backend names those it takes.

    Raises:
        WrongEncoder: what is stored for this release was built with another digest or dimension.
    """

    shared_between_hosts: bool = False

    def __init__(self, *, digest: str, dim: int) -> None:
        self.digest = digest
        self.dim = dim

    @abstractmethod
    def apply(
        self, upserts: Sequence[IndexRow], deletes: Sequence[int], *, sequence: int, digest: str
    ) -> None:
        """Put rows in (replacing those with the same id) and take photo ids out, as one durable step.

        After it returns, a crash loses nothing of it. Applying the same change again changes nothing.

        Args:
            sequence: the database's change number that this step brings the index up to; a step at or below
                the index's own sequence is ignored (another process was faster).
            digest: of the encoder release whose vectors these are.

        Raises:
            WrongEncoder: another digest, or a vector of another dimension; nothing was written.
            ValueError: a vector is not finite or not of unit norm (to 1e-2); nothing was written.
            IndexUnavailable: the lock was not free in time; nothing was written.
        """

    @abstractmethod
    def query(self, vector: np.ndarray, k: int, *, where: Filter = EVERYTHING, digest: str) -> Neighbours:
        """The k nearest products that pass the filter: exact filter first, then nearest.

        Args:
            vector: float32 (D,), unit norm.
            k: products wanted, >= 1; fewer come back only when fewer pass the filter.

        Raises:
            WrongEncoder: another digest or dimension.
        """

    @abstractmethod
    def vectors(self, ids: Sequence[int], *, timeout_s: float | None = None) -> dict[int, np.ndarray]:
        """Stored vectors (float32 (D,)) by photo id, in one call; unknown ids are left out.

        Args:
            timeout_s: how long the caller can wait; a remote backend gives none after it. None sets no limit.
        """

    @abstractmethod
    def count(self) -> int:
        """Photos that can be found."""

    @abstractmethod
    def sequence(self) -> int:
        """The last change applied; 0 for an empty index."""

    @abstractmethod
    def snapshot(self) -> None:
        """Fold the log of changes into a new immutable snapshot; readers go on undisturbed."""

    @abstractmethod
    def rebuild(self, rows: Iterable[IndexRow], *, sequence: int, digest: str) -> None:
        """Replace everything with these rows, atomically."""

    @abstractmethod
    def drop(self) -> None:
        """Delete what is stored for this release; the index is empty afterwards."""

    def check(self) -> list[str]:
        """What a developer should know before the shop goes live, in English; nothing by default."""
        return []

    @abstractmethod
    def health(self) -> IndexHealth:
        """Never raises: what is wrong is in the answer."""

    @abstractmethod
    def close(self) -> None:
        """Release files and memory."""
