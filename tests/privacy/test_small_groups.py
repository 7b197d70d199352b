from __future__ import annotations

import pytest

from shopvision.privacy.small_groups import is_too_small, withheld_below


@pytest.mark.parametrize(
    ("count", "small", "shown"), [(0, True, 0), (1, True, None), (4, True, None), (5, False, 5)]
)
def test_one_to_four_visitors_are_withheld(count: int, small: bool, shown: int | None) -> None:
    assert is_too_small(count) is small
    assert withheld_below(count) == shown
