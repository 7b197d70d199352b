"""What every vector index must do, with values worked by hand; a backend's test module inherits it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shopvision.exceptions import WrongEncoder
from shopvision.index.base import IndexRow, VectorIndex
from shopvision.types import Filter

DIGEST = "d" * 64
DIM = 4
E = np.eye(DIM, dtype=np.float32)


def row(id_: int, product: int, vector: Sequence[float], **kwargs: Any) -> IndexRow:
    """A row with its vector brought to unit norm."""
    v = np.asarray(vector, np.float32)
    return IndexRow(id_, product, v / np.linalg.norm(v), **kwargs)


class IndexContract:
    """Set ``make`` to open an index at a folder."""

    def make(self, location: Path, *, digest: str = DIGEST, dim: int = DIM) -> VectorIndex:
        raise AssertionError("a backend says how it is opened")

    @pytest.fixture
    def index(self, tmp_path: Path) -> VectorIndex:
        return self.make(tmp_path / "index")

    def test_an_empty_index_finds_nothing(self, index: VectorIndex) -> None:
        found = index.query(E[0], 5, digest=DIGEST)
        assert (len(found), found.count, found.sequence, found.as_of) == (0, 0, 0, None)
        assert (index.count(), index.sequence()) == (0, 0)
        assert index.health().ok
        assert isinstance(index.check(), list)
        assert isinstance(index.shared_between_hosts, bool)

    def test_an_answer_says_of_which_state_of_the_index_it_is(self, index: VectorIndex) -> None:
        index.apply([row(1, 10, E[0]), row(2, 10, E[1])], [], sequence=7, digest=DIGEST)
        found = index.query(E[0], 1, digest=DIGEST)
        assert (len(found), found.count, found.sequence) == (1, 2, 7)

    def test_what_is_dropped_is_gone_and_can_be_filled_again(self, index: VectorIndex) -> None:
        index.apply([row(1, 10, E[0])], [], sequence=3, digest=DIGEST)
        index.drop()
        assert (index.count(), index.sequence()) == (0, 0)
        index.apply([row(2, 20, E[1])], [], sequence=1, digest=DIGEST)
        assert index.query(E[1], 5, digest=DIGEST).products.tolist() == [20]

    def test_cosines_are_what_the_hand_computes(self, index: VectorIndex) -> None:
        """[3, 4]/5 against the axes: 3/5 and 4/5; against itself 1; against its opposite -1."""
        rows = [row(1, 10, E[0]), row(2, 20, E[1]), row(3, 30, [3, 4, 0, 0]), row(4, 40, [-3, -4, 0, 0])]
        index.apply(rows, [], sequence=1, digest=DIGEST)
        found = index.query(rows[2].vector, 4, digest=DIGEST)
        assert found.products.tolist() == [30, 20, 10, 40]
        np.testing.assert_allclose(found.similarities, [1, 4 / 5, 3 / 5, -1], atol=1e-3)

    def test_a_product_appears_once_by_its_nearest_photo(self, index: VectorIndex) -> None:
        rows = [row(1, 10, [1, 1, 0, 0]), row(2, 10, E[0]), row(3, 20, [4, 3, 0, 0])]
        index.apply(rows, [], sequence=1, digest=DIGEST)
        found = index.query(E[0], 5, digest=DIGEST)
        assert (found.ids.tolist(), found.products.tolist()) == ([2, 3], [10, 20])
        np.testing.assert_allclose(found.similarities, [1, 4 / 5], atol=1e-3)

    def test_k_products_come_back_though_one_has_all_the_nearest_photos(self, index: VectorIndex) -> None:
        rows = [row(i, 10, [100, i, 0, 0]) for i in range(1, 60)] + [row(100, 20, E[2]), row(101, 30, E[3])]
        index.apply(rows, [], sequence=1, digest=DIGEST)
        assert index.query(E[0], 3, digest=DIGEST).products.tolist() == [10, 20, 30]

    def test_ties_go_to_the_lower_product(self, index: VectorIndex) -> None:
        index.apply([row(1, 9, E[0]), row(2, 3, E[0]), row(3, 5, E[0])], [], sequence=1, digest=DIGEST)
        assert index.query(E[0], 2, digest=DIGEST).products.tolist() == [3, 5]

    def test_a_later_row_replaces_the_one_with_its_id(self, index: VectorIndex) -> None:
        index.apply([row(1, 10, E[0])], [], sequence=1, digest=DIGEST)
        index.apply([row(1, 10, E[1])], [], sequence=2, digest=DIGEST)
        assert index.count() == 1
        assert index.query(E[1], 1, digest=DIGEST).similarities[0] == pytest.approx(1, abs=1e-3)
        assert index.query(E[0], 1, digest=DIGEST).similarities[0] == pytest.approx(0, abs=1e-3)

    def test_a_deleted_photo_is_gone_at_once(self, index: VectorIndex) -> None:
        index.apply([row(1, 10, E[0]), row(2, 20, E[1])], [], sequence=1, digest=DIGEST)
        index.snapshot()
        index.apply([], [1, 77], sequence=2, digest=DIGEST)
        assert index.query(E[0], 5, digest=DIGEST).products.tolist() == [20]
        assert index.count() == 1
        assert 1 not in index.vectors([1, 2])

    def test_a_change_already_applied_is_ignored(self, index: VectorIndex) -> None:
        index.apply([row(1, 10, E[0])], [], sequence=5, digest=DIGEST)
        index.apply([], [1], sequence=5, digest=DIGEST)
        index.apply([row(2, 20, E[0])], [], sequence=4, digest=DIGEST)
        assert (index.count(), index.sequence()) == (1, 5)

    def test_filters_are_exact_before_nearest(self, index: VectorIndex) -> None:
        rows = [
            row(
                1,
                1,
                E[0],
                categories=("a", "root"),
                price=10.0,
                in_stock=True,
                source="s",
                values=("brand=A", "size=1"),
            ),
            row(
                2,
                2,
                [9, 1, 0, 0],
                categories=("b", "root"),
                price=19.99,
                in_stock=False,
                source="s",
                values=("brand=B", "size=1"),
            ),
            row(3, 3, [8, 2, 0, 0], categories=(), price=None, in_stock=True, source="t"),
        ]
        index.apply(rows, [], sequence=1, digest=DIGEST)
        for where, expected in (
            (Filter(), [1, 2, 3]),
            (Filter(categories=frozenset({"root"})), [1, 2]),
            (Filter(categories=frozenset({"a", "b"})), [1, 2]),
            (Filter(categories=frozenset({"nowhere"})), []),
            (Filter(price_max=Decimal("19.99")), [1, 2]),
            (Filter(price_min=Decimal("10.01")), [2]),
            (Filter(in_stock=True), [1, 3]),
            (Filter(in_stock=False), [2]),
            (Filter(sources=frozenset({"t"})), [3]),
            (Filter(values=(("size", frozenset({"1"})),)), [1, 2]),
            (Filter(values=(("brand", frozenset({"A", "B"})), ("size", frozenset({"1"})))), [1, 2]),
            (Filter(values=(("brand", frozenset({"B", "C"})),)), [2]),
            (Filter(values=(("brand", frozenset({"1"})),)), []),
            (Filter(products=frozenset({2, 3, 99})), [2, 3]),
            (Filter(products=frozenset()), []),
            (Filter(exclude=frozenset({1})), [2, 3]),
            (Filter(categories=frozenset({"root"}), in_stock=False, exclude=frozenset({1})), [2]),
        ):
            assert index.query(E[0], 5, where=where, digest=DIGEST).products.tolist() == expected, where
            index.snapshot()

    def test_another_encoder_is_refused_and_nothing_is_written(
        self, index: VectorIndex, tmp_path: Path
    ) -> None:
        index.apply([row(1, 10, E[0])], [], sequence=1, digest=DIGEST)
        with pytest.raises(WrongEncoder):
            index.apply([row(2, 20, E[0])], [], sequence=2, digest=DIGEST[:16] + "e" * 48)
        with pytest.raises(WrongEncoder):
            index.apply([IndexRow(2, 20, np.ones(3, np.float32))], [], sequence=2, digest=DIGEST)
        with pytest.raises(WrongEncoder):
            index.query(E[0], 1, digest=DIGEST[:16] + "e" * 48)
        with pytest.raises(WrongEncoder):
            index.query(np.ones(3, np.float32), 1, digest=DIGEST)
        with pytest.raises(WrongEncoder):
            self.make(tmp_path / "index", digest=DIGEST[:16] + "e" * 48)
        assert (index.count(), index.sequence()) == (1, 1)

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 0.5, 2.0])
    def test_a_vector_not_of_unit_norm_is_refused(self, index: VectorIndex, bad: float) -> None:
        with pytest.raises(ValueError, match="norm"):
            index.apply([IndexRow(1, 1, E[0] * np.float32(bad))], [], sequence=1, digest=DIGEST)
        assert index.count() == 0

    def test_stored_vectors_come_back(self, index: VectorIndex) -> None:
        index.apply([row(1, 10, [3, 4, 0, 0])], [], sequence=1, digest=DIGEST)
        np.testing.assert_allclose(index.vectors([1, 2])[1], [3 / 5, 4 / 5, 0, 0], atol=1e-3)

    def test_reopened_it_holds_the_same(self, index: VectorIndex, tmp_path: Path) -> None:
        index.apply([row(1, 10, E[0]), row(2, 20, E[1])], [], sequence=3, digest=DIGEST)
        index.snapshot()
        index.apply([row(3, 30, E[2])], [1], sequence=4, digest=DIGEST)
        again = self.make(tmp_path / "index")
        assert (again.count(), again.sequence()) == (2, 4)
        assert set(again.query(E[2], 5, digest=DIGEST).products.tolist()) == {20, 30}

    def test_rebuild_replaces_everything(self, index: VectorIndex) -> None:
        index.apply([row(1, 10, E[0])], [], sequence=1, digest=DIGEST)
        index.rebuild(iter([row(7, 70, E[3])]), sequence=9, digest=DIGEST)
        assert (index.count(), index.sequence()) == (1, 9)
        assert index.query(E[3], 5, digest=DIGEST).ids.tolist() == [7]
