from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shopvision.catalogue import adapter, order_lines
from tests.testshop.models import Article

MUG, CUP = object(), object()


def line(product: Any, **more: Any) -> Any:
    return SimpleNamespace(product=product, **more)


class Related(list[Any]):
    """A reverse relation, as the ORM has it."""

    def all(self) -> list[Any]:
        return list(self)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"product": MUG, "quantity": 2}, [(MUG, 2.0)]),
        ({"product": MUG, "line": line(MUG, quantity=3)}, [(MUG, 3.0)]),
        ({"products": [MUG, CUP]}, [(MUG, None), (CUP, None)]),
        (
            {"order": SimpleNamespace(lines=Related([line(MUG, quantity=1), line(CUP)]))},
            [(MUG, 1.0), (CUP, None)],
        ),
        ({"basket": SimpleNamespace(items=[line(CUP, units=4)])}, [(CUP, 4.0)]),
        ({"line": line(MUG, quantity=2)}, [(MUG, 2.0)]),
        ({"order": SimpleNamespace(lines=[line(None)])}, []),
        ({"query": "red mug"}, []),
        ({}, []),
    ],
)
def test_products_and_pieces_are_found_where_shops_have_them(told: Any, expected: Any) -> None:
    assert order_lines.products_in(told) == expected


def test_a_wrong_signal_is_reported_by_the_adapter() -> None:
    class Wrong(adapter.Catalogue):
        title = "headline"
        images = "pictures__file"
        signals = {"purchase": "tests.testshop.signals.order_lost", "view": "tests.testshop.models.Article"}

    found = Wrong(Article).problems()
    assert len(found) == 2
    assert "order_lost" in found[0]
    assert "not a django.dispatch.Signal" in found[1]
