from __future__ import annotations

import zlib

import numpy as np
import pytest

from shopvision.classifiers.base import Examples, classifier_from_bytes
from shopvision.classifiers.fusion import fuse
from shopvision.classifiers.head_selection import fit_head
from shopvision.classifiers.labelled_set import LabelledSet
from shopvision.classifiers.text import BUCKETS, Vocabulary, fit_vocabulary, terms
from tests.classifiers.test_heads import coloured


def bucket(term: str) -> int:
    return zlib.crc32(term.encode()) % BUCKETS


def test_a_word_gives_itself_and_its_grams() -> None:
    """ "red" with its borders: <re, red, ed>."""
    assert terms("Red") == {bucket(t): 1 for t in ("w:red", "c:<re", "c:red", "c:ed>")}


def test_scripts_without_spaces_give_characters_and_pairs() -> None:
    found = terms("红色连衣裙")
    assert found[bucket("c:红")] == 1
    assert found[bucket("c:连衣")] == 1
    assert found[bucket("c:连衣裙")] == 1
    assert set(terms("蓝色连衣裙")) & set(found) >= {bucket("c:连衣裙"), bucket("c:色")}


def test_tf_idf_is_worked_by_hand() -> None:
    """Rarity 1 and 2; "b" twice: 1 * (1 + ln 1) and 2 * (1 + ln 2), then unit length."""
    a, b = sorted((bucket("w:aa"), bucket("w:bb")))
    words = {bucket("w:aa"): "aa", bucket("w:bb"): "bb"}
    vocabulary = Vocabulary(np.array([a, b]), np.array([1, 2], np.float32))
    row = vocabulary.rows([f"{words[a]} {words[b]} {words[b]}"])[0]
    raw = np.array([1.0, 2 * (1 + np.log(2))])
    assert row == pytest.approx(raw / np.linalg.norm(raw), rel=1e-6)
    assert not vocabulary.rows(["zz", ""]).any()


def test_a_term_of_one_text_is_not_kept() -> None:
    vocabulary = fit_vocabulary(["red shoe", "red hat", "blue"])
    assert bucket("w:red") in vocabulary.buckets
    assert bucket("w:blue") not in vocabulary.buckets
    place = int(np.flatnonzero(vocabulary.buckets == bucket("w:red"))[0])
    assert vocabulary.rarity[place] == pytest.approx(1 + np.log(4 / 3))
    with pytest.raises(ValueError, match="no two texts"):
        fit_vocabulary(["red", "blue"])


def described(seed: int = 0, *, spread: float = 1.6) -> LabelledSet:
    """Photos that tell little, and texts that tell half of them."""
    photos = coloured(seed, spread=spread)
    names = ["shirt cotton", "hat wool", "shoe leather", "skirt silk"]
    texts = [names[t] if row % 2 else "" for row, t in enumerate(photos.targets)]
    examples = Examples(photos.examples.descriptors, texts)
    return LabelledSet(examples, photos.labels, photos.targets, np.arange(len(photos)))


def test_photo_and_text_together_beat_each_alone() -> None:
    training = described()
    head, report = fit_head(training, kind="auto")
    assert report.kind == "fused"
    assert report.modalities["both"] > max(report.modalities["image"], report.modalities["text"])
    again = classifier_from_bytes(head.to_bytes())
    fresh = described(5)
    probabilities = head.probabilities(fresh.examples)
    assert np.array_equal(again.probabilities(fresh.examples), probabilities)
    assert np.array_equal(again.known(fresh.examples), head.known(fresh.examples))
    alone, _ = fit_head(training, kind="linear")
    right = probabilities.argmax(1) == fresh.targets
    assert right.mean() > (alone.probabilities(fresh.examples).argmax(1) == fresh.targets).mean()


def test_texts_alone_are_enough_for_a_text_head() -> None:
    training = described()
    rows = np.flatnonzero(np.arange(len(training)) % 2)
    only = LabelledSet(
        Examples(texts=[(training.examples.texts or [])[row] for row in rows]),
        training.labels,
        training.targets[rows],
        np.arange(len(rows)),
    )
    head, report = fit_head(only)
    assert (head.kind, head.needs) == ("text", {"texts"})
    assert (report.probabilities.argmax(1) == only.targets).all()


def test_a_silent_text_leaves_the_photo_alone() -> None:
    photo, text = np.array([[1.0, 2.0]] * 2), np.array([[4.0, 0.0]] * 2)
    fused = fuse(photo, text, np.array([False, True]), (0.5, 0.25))
    assert fused.tolist() == [[1.5, 1.0], [1.0, 2.0]]


def test_what_cannot_be_trained_is_said() -> None:
    training = described()
    with pytest.raises(ValueError, match="no head of kind 'oracle'"):
        fit_head(training, kind="oracle")
    with pytest.raises(ValueError, match="'fused' head looks at texts"):
        fit_head(coloured(), kind="fused")
    with pytest.raises(ValueError, match="'a' has 1 labelled products"):
        fit_head(training.take(np.array([0, *range(30, 120)])))
