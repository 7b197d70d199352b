"""Knowledge: numbers of products, and bytes that are read back whole or refused."""

from __future__ import annotations

import numpy as np
import pytest

from shopvision.checkpoints import CorruptCheckpoint, IncompatibleCheckpoint, pack
from shopvision.ranking.item_model.builder import build
from shopvision.ranking.item_model.model import NOTHING, Knowledge
from tests.ranking.drawn import DAY, facts, log


@pytest.fixture
def knowledge() -> Knowledge:
    rows = [(1, 1, 0, 1.0), (1, 1, 1, 1.1), (2, 2, 0, 2.0), (2, 2, 1, 2.1), (2, 3, 2, 5.0)]
    return build(log(*rows), facts("red mug", "blue mug", "größe plate"), now=6 * DAY)


def test_products_have_numbers_and_strangers_have_none(knowledge: Knowledge) -> None:
    assert knowledge.numbers(["shop.product:2", "shop.product:9", "shop.product:0"]).tolist() == [2, -1, 0]


def test_a_stranger_has_the_same_number_in_the_profile_and_in_the_listing(knowledge: Knowledge) -> None:
    listed, seen = knowledge.number(["a", "shop.product:1", "b"], ["b", "a", "c"])
    assert listed.tolist() == [3, 1, 4]
    assert seen.tolist() == [4, 3, 5]


def test_it_survives_its_bytes(knowledge: Knowledge) -> None:
    data = knowledge.to_bytes()
    again = Knowledge.from_bytes(data)
    assert (again.items, again.as_of, again.digest) == (knowledge.items, 6 * DAY, knowledge.digest)
    assert again.to_bytes() == data
    for name in ("next", "after", "together", "ease"):
        np.testing.assert_array_equal(again.neighbours[name].ids, knowledge.neighbours[name].ids)
        np.testing.assert_array_equal(again.neighbours[name].weights, knowledge.neighbours[name].weights)
    for group in ("columns", "spaces", "projections"):
        assert getattr(again, group).keys() == getattr(knowledge, group).keys() != set()


def test_knowing_nothing_survives_its_bytes() -> None:
    again = Knowledge.from_bytes(NOTHING.to_bytes())
    assert (len(again), again.items, again.numbers(["a"]).tolist()) == (0, (), [-1])


@pytest.mark.parametrize("items", [("shop.product:a\nb",), ("shop.product:a\nb", "shop.product:\n")])
def test_a_key_with_a_line_break_is_one_item(items: tuple[str, ...]) -> None:
    assert Knowledge.from_bytes(Knowledge(items).to_bytes()).items == items


def test_bytes_of_before_are_read_still() -> None:
    """They named no separator, and a line break stood between two references."""
    names = np.frombuffer(b"shop.product:1\nshop.product:2", np.uint8)
    tensors = {"items": names, "words": np.empty((0, 0), np.int32)}
    data = pack("recommender-knowledge", tensors, {"as_of": 7.0, "items": 2})
    assert Knowledge.from_bytes(data).items == ("shop.product:1", "shop.product:2")


def test_damaged_bytes_are_refused(knowledge: Knowledge) -> None:
    data = bytearray(knowledge.to_bytes())
    data[-1] ^= 1
    with pytest.raises(CorruptCheckpoint):
        Knowledge.from_bytes(bytes(data))
    with pytest.raises(IncompatibleCheckpoint):
        Knowledge.from_bytes(pack("training", {}, {}))
