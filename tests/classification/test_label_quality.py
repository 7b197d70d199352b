from __future__ import annotations

import numpy as np
import pytest

from shopvision.classification.label_quality import copies_in_conflict, likely_mislabelled, too_small


def test_the_surest_disagreement_comes_first() -> None:
    """Bars: label 0 mean(.9, .8, .1) = .6, label 1 mean(.7, .6, .2) = .5; rows 2 and 5 disagree."""
    first = np.array([0.9, 0.8, 0.1, 0.3, 0.4, 0.8])
    labels = np.array([0, 0, 0, 1, 1, 1])
    found = likely_mislabelled(np.column_stack([first, 1 - first]), labels)
    assert [(one.row, one.label, one.suggested) for one in found] == [(2, 0, 1), (5, 1, 0)]
    assert [one.doubt for one in found] == pytest.approx([0.8, 0.6])
    assert len(likely_mislabelled(np.column_stack([first, 1 - first]), labels, limit=1)) == 1
    assert likely_mislabelled(np.empty((0, 2)), np.empty(0, int)) == []


def test_a_label_that_is_merely_likelier_is_no_suspect() -> None:
    """Row 1 leans to label 1 at .55, below label 1's bar of .9."""
    first = np.array([0.9, 0.45, 0.1])
    found = likely_mislabelled(np.column_stack([first, 1 - first]), np.array([0, 0, 1]))
    assert found == []


def test_copies_with_different_labels_are_told() -> None:
    """0 and 1 differ in two bits; 2 is far; 3 and 4 are one picture of one product."""
    hashes = np.array([0b1111, 0b1100, -1, 0xFF << 40, 0xFF << 40], np.int64)
    labels = np.array([0, 1, 2, 0, 1])
    assert copies_in_conflict(hashes, labels, np.array([0, 1, 2, 3, 3])) == [(0, 1)]
    assert copies_in_conflict(hashes, np.array([0, 0, 2, 0, 0]), np.arange(5)) == []
    with pytest.raises(ValueError, match="0 to 4 bits"):
        copies_in_conflict(hashes, labels, np.arange(5), bits=9)


def test_pictures_of_one_hash_are_one_set() -> None:
    hashes = np.full(4, 7, np.int64)
    assert copies_in_conflict(hashes, np.array([0, 0, 1, 1]), np.arange(4)) == [(0, 1, 2, 3)]


def test_labels_are_counted_by_product() -> None:
    """Label 0 has two products, label 1 one with three photos, label 2 none."""
    labels, groups = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 2, 2, 2])
    assert too_small(labels, groups, 3, 2) == [2, 1]
