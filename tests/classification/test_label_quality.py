from __future__ import annotations

import numpy as np
import pytest

from shopvision.classification.label_quality import likely_mislabelled


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
