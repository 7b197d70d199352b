from __future__ import annotations

import numpy as np

from shopvision.classifiers.base import Examples
from shopvision.classifiers.labelled_set import Glances, LabelledSet, splits, stratified_folds


def test_folds_never_tear_a_product_apart_and_spread_every_label() -> None:
    """3 labels x 10 products x 2 photos in 5 folds: each fold has 2 products, 4 photos, of each label."""
    targets = np.repeat([0, 1, 2], 20)
    groups = np.arange(60) // 2
    folds = stratified_folds(targets, groups, 5, seed=3)
    for fold in range(5):
        mine = folds == fold
        assert [int((targets[mine] == label).sum()) for label in range(3)] == [4, 4, 4]
        assert not set(groups[mine]) & set(groups[~mine])


def test_no_more_folds_are_made_than_a_label_has_examples() -> None:
    """7 labels of 2 products in 4 folds: two folds, each with a product of every label."""
    targets = np.repeat(np.arange(7), 2)
    folds = stratified_folds(targets, np.arange(14), 4)
    assert np.bincount(folds).tolist() == [7, 7]
    assert sorted(targets[folds == 0]) == list(range(7))


def test_splits_cover_every_example_once() -> None:
    folds = np.array([0, 1, 0, 2])
    outside = [rows.tolist() for _, rows in splits(folds)]
    assert outside == [[0, 2], [1], [3]]
    assert all(len(inside) + len(out) == 4 for inside, out in splits(folds))


def test_labels_left_out_are_counted_anew() -> None:
    texts = ["a0", "b0", "c0", "a1"]
    whole = LabelledSet(Examples(texts=texts), ("a", "b", "c"), np.array([0, 1, 2, 0]), np.arange(4))
    part = whole.with_labels(np.array([0, 2]))
    assert part.labels == ("a", "c")
    assert part.targets.tolist() == [0, 1, 0]
    assert list(part.examples.texts or []) == ["a0", "c0", "a1"]


def test_glances_go_with_their_photos() -> None:
    """Glances 0 to 4 at photos 2, 0, 3, 3 and 1; of photos 3 and 0 they are 1, 2 and 3."""
    glances = Glances({"c5": np.arange(5, dtype=np.float32)[:, None]}, np.array([2, 0, 3, 3, 1]))
    examples = Examples({"c5": np.zeros((4, 1), np.float32)})
    whole = LabelledSet(examples, ("a", "b"), np.array([0, 1, 0, 1]), np.arange(4), glances)
    part = whole.take(np.array([3, 0])).glances
    assert part is not None
    assert part.descriptors["c5"].ravel().tolist() == [1, 2, 3]
    assert part.rows.tolist() == [1, 0, 0]
    one = whole.with_labels(np.array([1])).glances
    assert one is not None
    assert one.rows.tolist() == [1, 1, 0]
