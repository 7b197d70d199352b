"""Apply the shop's rules (pinned, hidden, sold out) to an order of products.

Search, similar products, strips and listings apply them all; what supplies rules gives a ``Rules``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from ..types import ProductRef


@dataclass(frozen=True, slots=True)
class Rules:
    """What a shop says of single products of a listing, as references.

    Args:
        pinned: come first, in this order, where they are in the listing.
        hidden: go behind all others.
    """

    pinned: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.pinned or self.hidden)


NO_RULES = Rules()


def apply_rules(
    order: np.ndarray,
    refs: Sequence[ProductRef],
    rules: Rules,
    *,
    hidden: Collection[str] = (),
    sold_out: np.ndarray | None = None,
) -> np.ndarray:
    """The order with sold-out products behind, hidden ones behind those, and pinned ones first.

    Args:
        order: places in ``refs``, int (N,), each once.
        refs: the products.
        hidden: further references that go last, such as those the visitor put away.
        sold_out: by place in ``refs``, bool (N,); None leaves stock out of it.

    Returns:
        the same places, int (N,).
    """
    if sold_out is not None:
        order = behind(order, sold_out)
    place_of = {str(ref): place for place, ref in enumerate(refs)}
    away = rules.hidden.union(hidden)
    if away:
        order = behind(order, np.array([name in away for name in place_of], bool))
    pinned = pinned_places(refs, rules)
    return ahead(order, pinned) if len(pinned) else order


def pinned_places(refs: Sequence[ProductRef], rules: Rules) -> np.ndarray:
    """Places of the pinned products that are among ``refs``, in the order of the rules, int (M,)."""
    place_of = {str(ref): place for place, ref in enumerate(refs)}
    return np.array([place_of[one] for one in rules.pinned if one in place_of], np.int64)


def behind(order: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The order with some products, bool by place, behind all others."""
    late = last[order]
    return np.concatenate([order[~late], order[late]])


def ahead(order: np.ndarray, pinned: np.ndarray) -> np.ndarray:
    """The order with some products, by their places in turn, before all others."""
    return np.concatenate([pinned, order[~np.isin(order, pinned)]]).astype(order.dtype)
