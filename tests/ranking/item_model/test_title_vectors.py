"""Titles as vectors and as lists of words."""

from __future__ import annotations

import numpy as np
import pytest

from shopvision.ranking.item_model import title_vectors
from shopvision.ranking.item_model.title_vectors import embed_text, fit_text, words_of

TITLES = ("red mug", "blue mug", "red plate", "blue plate", "Größe L", "größe l")


def test_same_words_are_alike_in_any_case_and_others_are_not() -> None:
    rows = embed_text(TITLES, fit_text(TITLES)).astype(float)
    like = rows @ rows.T
    np.testing.assert_allclose(np.diag(like), 1, atol=2e-3)
    assert like[4, 5] == pytest.approx(1, abs=2e-3)
    assert 0.2 < like[0, 1] < 0.8
    assert like[0, 3] == pytest.approx(0, abs=2e-3)


def test_a_text_of_unknown_words_is_like_nothing() -> None:
    fitted = fit_text(TITLES)
    assert not embed_text(["zebra", ""], fitted).any()
    assert embed_text([], fitted).shape == (0, fitted["text_axes"].shape[1])


def test_many_texts_are_fitted_in_parts_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    few = embed_text(TITLES, fit_text(TITLES)).astype(float)
    monkeypatch.setattr(title_vectors, "BUCKETS", 1024)
    titles = TITLES * 200
    many = embed_text(titles, fit_text(titles)).astype(float)[: len(TITLES)]
    np.testing.assert_allclose(many @ many.T, few @ few.T, atol=0.2)


def test_the_rarest_words_come_first_and_padding_last() -> None:
    titles = ["mug", "mug", "red mug"]
    found = words_of(titles, fit_text(titles))
    assert (found[:2, 0] == found[2, 1]).all()
    assert found[2, 0] != found[2, 1]
    assert (found[:, 2:] == -1).all()
    assert found.shape == (3, title_vectors.WORDS)


def test_no_texts_are_no_words() -> None:
    fitted = fit_text([])
    assert embed_text(["mug"], fitted).shape[0] == 1
    assert words_of([], fitted).shape == (0, title_vectors.WORDS)
