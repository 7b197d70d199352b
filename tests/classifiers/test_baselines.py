from __future__ import annotations

import numpy as np
import pytest

from shopvision.classifiers import baselines


def test_labels_take_turns_and_products_stay_whole() -> None:
    """30 products of label 0 and 3 of label 1, two photos each; 12 photos are 3 products of each."""
    targets = np.repeat([0] * 30 + [1] * 3, 2)
    groups = np.repeat(np.arange(33), 2)
    rows = baselines.rows_for(targets, groups, most=12)
    assert np.bincount(targets[rows]).tolist() == [6, 6]
    assert all(np.isin(np.flatnonzero(groups == one), rows).all() for one in np.unique(groups[rows]))
    assert rows.tolist() == baselines.rows_for(targets, groups, most=12).tolist()
    assert rows.tolist() != baselines.rows_for(targets, groups, most=12, seed=1).tolist()


def test_every_label_keeps_two_products_however_few_photos_are_wanted() -> None:
    targets = np.repeat(np.arange(5), 4)
    rows = baselines.rows_for(targets, np.arange(20), most=3)
    assert np.bincount(targets[rows]).tolist() == [2] * 5


def test_few_photos_are_all_taken() -> None:
    assert baselines.rows_for(np.array([0, 1]), np.array([0, 1]), most=2).tolist() == [0, 1]


def test_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "find_spec", lambda name: None)
    assert str(baselines.why_not()) == "torch is not installed: pip install shopvision[torch]"
