"""The shop's rules on an order, worked by hand."""

from __future__ import annotations

import numpy as np

from shopvision.catalogue.constraints import NO_RULES, Rules, ahead, apply_rules, behind, pinned_places
from shopvision.types import ProductRef

REFS = [ProductRef("shop.product", key) for key in "abcd"]


def test_behind_and_ahead() -> None:
    order = np.array([3, 1, 0, 2])
    assert behind(order, np.array([False, True, False, True])).tolist() == [0, 2, 3, 1]
    assert ahead(order, np.array([2, 1])).tolist() == [2, 1, 3, 0]


def test_no_rules_leave_an_order_as_it_is() -> None:
    assert not NO_RULES
    assert apply_rules(np.array([2, 0, 3, 1]), REFS, NO_RULES).tolist() == [2, 0, 3, 1]


def test_pinned_come_first_hidden_last_and_sold_out_before_the_hidden() -> None:
    """c is pinned; a hidden by the shop, d by the visitor; b and c sold out: c, b, then d and a in their order."""
    rules = Rules(("shop.product:c", "shop.product:elsewhere"), frozenset({"shop.product:a"}))
    sold_out = np.array([False, True, True, False])
    found = apply_rules(np.array([3, 0, 1, 2]), REFS, rules, hidden={"shop.product:d"}, sold_out=sold_out)
    assert found.tolist() == [2, 1, 3, 0]
    assert pinned_places(REFS, rules).tolist() == [2]


def test_nothing_to_order_stays_nothing() -> None:
    assert apply_rules(np.arange(0), [], Rules(("x:1",), frozenset({"x:2"}))).tolist() == []
