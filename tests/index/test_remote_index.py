"""A toy index from outside, kept by a server that every host asks, finds the demo's products."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from shopvision import listings
from shopvision.index.base import IndexHealth, IndexRow, Neighbours, VectorIndex
from shopvision.index.flat import FlatIndex
from shopvision.indexing import encoder_releases
from shopvision.indexing.pipeline import drain_outbox
from tests.contracts.index import DIGEST, DIM, IndexContract
from tests.factories import DemoProductFactory, demo_ref


class Server:
    """One index a collection and release, reached by one function, as over HTTP; counts what it is asked."""

    collections: ClassVar[dict[tuple[str, str], FlatIndex]] = {}
    asked: ClassVar[list[str]] = []
    folder: ClassVar[Path]

    @classmethod
    def ask(cls, collection: str, release: str, dim: int, what: str, /, *args: Any, **options: Any) -> Any:
        cls.asked.append(what)
        key = (collection, release)
        if key not in cls.collections:
            cls.collections[key] = FlatIndex(directory=cls.folder / collection, digest=release, dim=dim)
        return getattr(cls.collections[key], what)(*args, **options)


class RemoteIndex(VectorIndex):
    """Hands every call to the server: as little as a client of an engine needs."""

    shared_between_hosts = True

    def __init__(self, *, digest: str, dim: int, collection: str) -> None:
        super().__init__(digest=digest, dim=dim)
        self.collection = collection

    def _ask(self, what: str, *args: Any, **options: Any) -> Any:
        return Server.ask(self.collection, self.digest, self.dim, what, *args, **options)

    def apply(self, upserts: Any, deletes: Any, *, sequence: int, digest: str) -> None:
        self._ask("apply", upserts, deletes, sequence=sequence, digest=digest)

    def query(self, vector: Any, k: int, *, where: Any = None, digest: str) -> Neighbours:
        options = {} if where is None else {"where": where}
        return self._ask("query", vector, k, digest=digest, **options)  # type: ignore[no-any-return]

    def vectors(self, ids: Any, *, timeout_s: float | None = None) -> dict[int, np.ndarray]:
        return self._ask("vectors", ids, timeout_s=timeout_s)  # type: ignore[no-any-return]

    def rebuild(self, rows: Any, *, sequence: int, digest: str) -> None:
        self._ask("rebuild", list[IndexRow](rows), sequence=sequence, digest=digest)

    def count(self) -> int:
        return int(self._ask("count"))

    def sequence(self) -> int:
        return int(self._ask("sequence"))

    def snapshot(self) -> None:
        self._ask("snapshot")

    def drop(self) -> None:
        self._ask("drop")

    def health(self) -> IndexHealth:
        return self._ask("health")  # type: ignore[no-any-return]

    def close(self) -> None:
        """The server keeps everything."""


@pytest.fixture(autouse=True)
def server(tmp_path: Path) -> type[Server]:
    Server.folder = tmp_path
    Server.collections.clear()
    Server.asked.clear()
    return Server


class TestRemoteIndex(IndexContract):
    """The contract that every index keeps."""

    def make(self, location: Path, *, digest: str = DIGEST, dim: int = DIM) -> RemoteIndex:
        index = RemoteIndex(digest=digest, dim=dim, collection=location.name)
        index.health()
        return index


@pytest.mark.django_db
def test_it_indexes_and_finds_the_demos_products_in_one_call_a_search(data_dir: Any, settings: Any) -> None:
    chosen = {"BACKEND": f"{__name__}.RemoteIndex", "OPTIONS": {"collection": "shop"}}
    settings.SHOPVISION = {**settings.SHOPVISION, "INDEX": chosen}
    encoder_releases.reset()
    products = DemoProductFactory.create_batch(8)
    drain_outbox()
    assert [one.collection for one in (encoder_releases.live().index,)] == ["shop"]
    for product in products[:3]:
        with product.image.open() as file:
            data = file.read()
        Server.asked.clear()
        found = listings.search_by_photo(data)
        assert Server.asked.count("query") == 1
        assert set(Server.asked) <= {"query", "sequence"}
        assert found.hits[0].product.object_id == str(product.pk)
        assert found.index["size"] == 8
    assert len(listings.similar_products(demo_ref(products[0])).hits) == 7
    encoder_releases.reset()
