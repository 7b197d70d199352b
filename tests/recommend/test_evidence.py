from __future__ import annotations

import numpy as np

from shopvision.recommend import evidence
from shopvision.recommend.knowledge import NOTHING, Knowledge
from shopvision.recommend.neighbours import Neighbours
from shopvision.recommend.order import Reason
from shopvision.recommend.profile import Profile, nobody

KNOWN = Knowledge(
    ("a", "b", "c"),
    {
        "next": Neighbours(np.array([[1], [-1], [-1]], np.int32), np.array([[0.2], [0], [0]], np.float32)),
        "together": Neighbours(np.array([[2], [1], [-1]], np.int32), np.array([[0.9], [0], [0]], np.float32)),
    },
)


def acts(*items: int, kinds: tuple[str, ...] = ()) -> Profile:
    count = len(items)
    nothing = np.full(count, np.nan, np.float32)
    return Profile(
        np.array(items, np.int32),
        tuple(f"p{one}" for one in items),
        kinds or ("view",) * count,
        np.zeros(count, np.float32),
        nothing,
        nothing,
        np.full(count, -1, np.int32),
    )


def test_the_product_itself_then_what_goes_with_it_then_what_looks_like_it() -> None:
    """Candidates b, c, d, a; a was looked at; d (new to the knowledge) looks like it, c does a little."""
    likeness = np.array([[0.1], [0.6], [0.8], [1.0]], np.float32)
    found = evidence.strongest(KNOWN, acts(0), np.array([1, 2, 3, 0], np.int32), likeness, 0.5)
    assert found == {
        0: Reason("after", "p0"),
        1: Reason("together", "p0"),
        2: Reason("looks", "p0"),
        3: Reason("seen", "p0"),
    }


def test_nothing_is_said_of_what_was_hidden_and_to_nobody() -> None:
    numbers = np.array([1, 2, 3], np.int32)
    ones = np.ones((3, 1), np.float32)
    assert evidence.strongest(KNOWN, acts(0, kinds=("hide",)), numbers, ones, 0.5) == {}
    assert evidence.strongest(NOTHING, nobody(), numbers, None, 0.5) == {}


def test_a_product_without_a_photo_looks_like_nothing() -> None:
    nothing = np.full((2, 1), np.nan, np.float32)
    assert evidence.strongest(NOTHING, acts(7), np.array([0, 1], np.int32), nothing, 0.5) == {}


def test_a_category_is_a_reason_unless_all_are_of_it() -> None:
    liked, names = np.array([5, -1], np.int32), ("Mugs", "", "Hats", "Hats")
    assert evidence.same_category(np.array([5, -1, 6, 6]), liked, names) == {0: Reason("category", "Mugs")}
    assert evidence.same_category(np.array([5, 5, 5, -1]), liked, names) == {}


def test_popular_is_the_top_tenth_and_new_is_a_fortnight() -> None:
    """Ten products; 9 acts is the 90th percentile's upper neighbour; ages 3 and 14 days are new, 15 is not."""
    popularity = np.array([0, 0, 0, 0, 0, 0, 1, 2, 3, 9], np.float32)
    ages = np.array([3, 14, 15, *[np.nan] * 7], np.float32)
    found = evidence.general(popularity, ages)
    assert found == {9: Reason("popular"), 0: Reason("new"), 1: Reason("new")}
    few = np.array([0, 0, 4.9], np.float32)
    assert evidence.general(few, np.full(3, np.nan, np.float32)) == {}
    assert evidence.general(np.zeros(3, np.float32), np.ones(3, np.float32)) == {}
