from __future__ import annotations

import numpy as np

from shopvision.classifiers.base import Examples
from shopvision.classifiers.head_selection import fit_head
from shopvision.classifiers.labelled_set import Glances, LabelledSet, parts
from shopvision.classifiers.near_duplicates import connected_groups, join_copies


def around(degrees: list[float]) -> dict[str, np.ndarray]:
    """Unit rows on a circle: the cosine of two is that of the angle between them."""
    angle = np.deg2rad(degrees)
    return {"c5": np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)}


def test_photos_nearer_than_strangers_are_one_group() -> None:
    """Strangers are 60 degrees apart or more; 0-10-20 are linked through the middle one, 240 is alone."""
    degrees = [0.0, 10.0, 20.0, 120.0, 180.0, 300.0]
    found = join_copies(around(degrees), np.array([0, 0, 0, 0, 1, 1]), np.arange(6))
    assert found.tolist() == [0, 0, 0, 1, 2, 3]


def test_photos_of_one_product_stay_together_and_bring_their_copies() -> None:
    """Product 7 has the photos at 0 and 120 degrees, so the copy at 10 degrees joins both."""
    degrees = [0.0, 120.0, 10.0, 60.0, 180.0, 300.0]
    found = join_copies(around(degrees), np.array([0, 0, 0, 0, 1, 1]), np.array([7, 7, 2, 3, 4, 5]))
    assert found[0] == found[1] == found[2]
    assert len(set(found.tolist())) == 4


def test_photos_are_copies_where_glances_at_them_are() -> None:
    """Photos at 0 and 90 degrees are no copies; the first one from nearer, at 70 degrees, makes them so."""
    blocks = around([0.0, 90.0, 180.0, 270.0, 30.0, 120.0, 210.0, 300.0])
    targets = np.array([0, 0, 0, 1, 1, 1, 1, 1])
    alone = join_copies(blocks, targets, np.arange(8))
    assert alone[0] != alone[1]
    found = join_copies(blocks, targets, np.arange(8), Glances(around([70.0]), np.array([0])))
    assert found[0] == found[1] != found[2]


def test_a_label_of_copies_alone_keeps_its_products_apart() -> None:
    degrees = [0.0, 1.0, 2.0, 180.0, 300.0]
    found = join_copies(around(degrees), np.array([0, 0, 0, 1, 1]), np.array([5, 5, 6, 7, 8]))
    assert found[0] == found[1] != found[2]
    assert len(set(found.tolist())) == 4


def test_copies_do_not_make_cross_validation_sure_of_itself() -> None:
    """Labels mean nothing here, but each photo has a copy: folds by photo would call that 100 % right."""
    rng = np.random.default_rng(0)
    once = rng.standard_normal((60, 40))
    rows = np.repeat(once, 2, axis=0) + 0.02 * rng.standard_normal((120, 40))
    targets = np.repeat(np.arange(60) % 3, 2)
    training = LabelledSet(
        Examples({"c5": rows.astype(np.float32)}), ("a", "b", "c"), targets, np.arange(120)
    )
    _, report = fit_head(training, kind="linear")
    assert (report.probabilities.argmax(1) == targets).mean() < 0.5
    assert report.probabilities.max(1).mean() < 0.5


def test_parts_count_every_example_equally_often() -> None:
    """Four quarters, or two cuts into halves; no product is torn apart."""
    targets, groups = np.repeat([0, 1], 20), np.arange(40) // 2
    for share, times in ((0.25, 1), (0.5, 2)):
        found = parts(targets, groups, share)
        assert len(found) == 4
        assert np.bincount(np.concatenate(found)).tolist() == [times] * 40
        for rows in found:
            assert len(rows) == 40 * share
            assert all((groups[rows] == group).sum() == 2 for group in groups[rows])


def test_groups_join_through_others() -> None:
    """3 with 1 and 4 with 3; 0 and 2 stay alone."""
    assert connected_groups(5, np.array([[3, 4], [1, 3]])).tolist() == [0, 1, 2, 1, 1]
    assert connected_groups(2, np.empty((2, 0), int)).tolist() == [0, 1]
