"""The learned projection: worked by hand where a hand can, and on a made-up catalogue where it cannot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from shopvision.encoders import projection
from shopvision.encoders.base import BlockSpec
from shopvision.encoders.projection import (
    Projection,
    TrainingSet,
    augmented_views,
    diverse_products,
    fit,
    gallery,
    generic,
    unit,
)

DIMS = {"c5": 24, "t10": 16, "colour": 16}
SPECS = (BlockSpec("c5", 24, "shape"), BlockSpec("t10", 16, "texture"), BlockSpec("colour", 16, "colour"))


def catalogue(products: int = 40, photos: int = 4, seed: int = 0) -> TrainingSet:
    """Products differ in the first half of each block; a loud nuisance, shared by no two photos, is the rest.

    The catalogue image has its own nuisance offset, as a packshot differs from a phone's photo.
    """
    rng = np.random.default_rng(seed)
    n = products * photos
    owner = np.repeat(np.arange(products), photos)
    first = np.tile(np.arange(photos) == 0, products)
    blocks = {}
    for name, d in DIMS.items():
        signal = rng.standard_normal((products, d // 2))[owner] + 0.1 * rng.standard_normal((n, d // 2))
        nuisance = 3 * rng.standard_normal((n, d - d // 2)) + 4 * first[:, None]
        blocks[name] = np.concatenate([signal, nuisance], axis=1).astype(np.float32)
    blocks["thumb"] = rng.random((n, 144), dtype=np.float32)
    return TrainingSet(blocks, owner, first, SPECS)


def recall_at_1(rows: np.ndarray, training: TrainingSet) -> float:
    """Does a photo that is no catalogue image find its product's catalogue image first?"""
    first = training.is_catalogue
    best = (rows[~first] @ rows[first].T).argmax(1)
    return float((training.products[first][best] == training.products[~first]).mean())


def test_unit_rows_have_norm_one_and_a_zero_row_stays() -> None:
    rows = unit(np.array([[3, 4], [0, 0], [0, -2]], np.float32))
    np.testing.assert_allclose(rows, [[3 / 5, 4 / 5], [0, 0], [0, -1]], rtol=1e-6)


def test_a_fit_separates_products_that_raw_blocks_confuse() -> None:
    training, unseen = catalogue(seed=0), catalogue(seed=1)
    raw = unit(np.concatenate([unseen.descriptors[name] for name in DIMS], axis=1))
    assert recall_at_1(raw, unseen) < 0.3
    assert recall_at_1(fit(training, dim=16).embed(unseen.descriptors), unseen) > 0.9


def test_embeddings_are_unit_rows_in_the_order_given() -> None:
    training = catalogue()
    rows = fit(training, dim=16).embed(training.descriptors)
    assert (rows.shape, rows.dtype) == ((160, 16), np.float32)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    backwards = {name: block[::-1] for name, block in training.descriptors.items()}
    np.testing.assert_allclose(fit(training, dim=16).embed(backwards), rows[::-1], atol=1e-5)


def test_no_rows_give_no_rows() -> None:
    made = generic(SPECS, 16)
    assert made.embed({}).shape == (0, 16)
    assert made.embed({name: np.empty((0, d), np.float32) for name, d in DIMS.items()}).shape == (0, 16)


@pytest.mark.parametrize("kind", ["fitted", "generic"])
def test_saved_and_read_again_it_embeds_the_same_to_the_last_bit(kind: str) -> None:
    training = catalogue()
    made = fit(training, dim=16) if kind == "fitted" else generic(SPECS, 16)
    back = Projection.from_bytes(made.to_bytes())
    np.testing.assert_array_equal(back.embed(training.descriptors), made.embed(training.descriptors))
    assert (back.digest, back.dim, back.recipe["kind"]) == (made.digest, 16, kind)


def test_fits_and_generic_projections_are_deterministic() -> None:
    assert len({generic(SPECS, 16).digest for _ in range(8)}) == 1  # metadata keys come in a random order
    assert fit(catalogue(), dim=16).digest == fit(catalogue(), dim=16).digest
    assert fit(catalogue(seed=1), dim=16).digest != fit(catalogue(), dim=16).digest


def test_the_generic_projection_keeps_cosines() -> None:
    """Two blocks in which one in two numbers agree: cosine 1/2, to three deviations of 1/sqrt(1024)."""
    blocks = {"c5": np.array([[1, 1, 0], [1, 0, 1]], np.float32)}
    a, b = generic([BlockSpec("c5", 3, "shape")], 1024).embed(blocks)
    assert float(a @ b) == pytest.approx(0.5, abs=3 / 32)


def test_other_bytes_and_other_formats_are_refused() -> None:
    with pytest.raises(ValueError, match="no projection"):
        Projection.from_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    data = generic(SPECS, 16).to_bytes()
    with pytest.raises(ValueError, match="format 7"):
        Projection.from_bytes(data.replace(b'\\"format\\": 1', b'\\"format\\": 7'))


def test_the_gallery_mix_is_what_the_hand_computes() -> None:
    """c = x, e = y: centre (x + y)/sqrt 2; of two photos each moves 2/5 of the way to it. A lone one stays."""
    vectors = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    out = gallery(vectors, np.array([7, 7, 9]), np.array([True, False, True]))
    h = 1 / np.sqrt(2)
    norm = np.hypot(3 + 2 * h, 2 * h)
    expected = [[(3 + 2 * h) / norm, 2 * h / norm], [2 * h / norm, (3 + 2 * h) / norm], [0.6, 0.8]]
    np.testing.assert_allclose(out, expected, atol=1e-6)


def test_the_gallery_mix_weighs_catalogue_images_against_all_other_photos() -> None:
    """c = x; e = y three times: the centre still lies half-way, not at three quarters."""
    vectors = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.float32)
    out = gallery(vectors, np.full(4, 1), np.array([True, False, False, False]))
    np.testing.assert_allclose(out[0], out[1][::-1], atol=1e-6)


def test_the_more_photos_a_product_has_the_nearer_they_are_to_its_centre() -> None:
    """c = x, e = y three times; centre (1, 1)/sqrt 2; of four photos each moves 4/7 of the way."""
    vectors = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.float32)
    out = gallery(vectors, np.full(4, 1), np.array([True, False, False, False]))
    h = 1 / np.sqrt(2)
    norm = np.hypot(3 + 4 * h, 4 * h)
    np.testing.assert_allclose(out[0], [(3 + 4 * h) / norm, 4 * h / norm], atol=1e-6)


def test_a_photo_looked_at_twice_lies_between_its_looks() -> None:
    """Looks along x and along y: (1, 1)/sqrt 2; a photo looked at once is its own embedding."""
    eye = np.eye(2, dtype=np.float32)
    flat = projection.Projection({"c5": eye}, {"c5": np.zeros(2)}, {"c5": 1.0}, eye, np.zeros(2, np.float32))
    np.testing.assert_allclose(flat.look({"c5": np.array([[3, 0], [0, 5]])}), [0.5**0.5] * 2, atol=1e-6)
    np.testing.assert_allclose(flat.look({"c5": np.array([[3, 4]])}), [0.6, 0.8], atol=1e-6)


def test_copies_of_one_photo_are_not_diverse() -> None:
    rng = np.random.default_rng(0)
    thumbs = rng.random((6, 144), dtype=np.float32)
    thumbs[1] = thumbs[0] * 0.5 + 0.2  # product 0: the same photo, recoloured
    training = TrainingSet({"thumb": thumbs}, np.array([0, 0, 1, 1, 2, 3]), np.ones(6, bool), SPECS)
    assert diverse_products(training) == [1]


def test_balanced_scatter_is_worked_by_hand() -> None:
    """c = (0, 0), e = (2, 1) and (2, -1): mean e (2, 0), middle m = (1, 0).

    Others: (1, 1), (1, -1): diag(1, 1); catalogue: (-1, 0): diag(1, 0); half of each: diag(1, 1/2).
    """
    rows = np.array([[0, 0], [2, 1], [2, -1]], float)
    training = TrainingSet({}, np.zeros(3, int), np.array([True, False, False]), SPECS)
    np.testing.assert_allclose(projection._between_photos(rows, training, [0]), np.diag([1, 0.5]))


def test_augmented_views_teach_what_to_ignore() -> None:
    """Products with one photo each: only the views say that the second half is noise."""
    rng = np.random.default_rng(0)
    training = catalogue(products=60, photos=1)
    views = {name: block.copy() for name, block in training.descriptors.items()}
    for name, d in DIMS.items():
        views[name][:, d // 2 :] = 3 * rng.standard_normal((60, d - d // 2))
    unseen = catalogue(seed=3)
    blind = fit(training, dim=16).embed(unseen.descriptors)
    taught = fit(replace(training, augmented=views, augmented_of=np.arange(60)), dim=16)
    assert recall_at_1(taught.embed(unseen.descriptors), unseen) > recall_at_1(blind, unseen) + 0.2


def test_taking_photos_takes_their_views_along() -> None:
    base = TrainingSet(
        {"thumb": np.arange(3.0)[:, None]},
        np.array([5, 6, 7]),
        np.ones(3, bool),
        SPECS,
        {"thumb": np.arange(4.0)[:, None]},
        np.array([0, 2, 2, 1]),
    )
    part = base.take(np.array([2, 0]))
    assert part.products.tolist() == [7, 5]
    assert part.augmented is not None
    assert part.augmented_of is not None
    assert part.augmented["thumb"].ravel().tolist() == [0, 1, 2]
    assert part.augmented_of.tolist() == [1, 0, 0]


def test_fewer_photos_than_dimensions_are_padded_and_one_is_refused() -> None:
    few = catalogue(products=2, photos=2)
    rows = fit(few, dim=64).embed(few.descriptors)
    assert rows.shape == (4, 64)
    assert np.isfinite(rows).all()
    with pytest.raises(ValueError, match="two photos or more, not 1"):
        fit(few.take(np.array([0])), dim=8)


def test_views_are_crops_a_turn_and_a_mirror_image() -> None:
    image = Image.new("RGB", (100, 60))
    image.putpixel((0, 0), (255, 0, 0))
    views = augmented_views(image)
    assert [view.size for view in views] == [(70, 42), (50, 30), (100, 60), (100, 60)]
    assert views[2].getpixel((0, 0)) == (255, 255, 255)  # the turn uncovers white
    assert views[3].getpixel((99, 0)) == (255, 0, 0)
    assert [view.size for view in augmented_views(Image.new("RGB", (1, 1)))][:2] == [(1, 1), (1, 1)]


def test_a_family_of_the_encoders_own_is_part_of_the_embedding() -> None:
    """One pooled vector: shape's weight is its own, and the block is kept whole, up to rounding."""
    specs = (BlockSpec("clip", 8, "semantic"), BlockSpec("thumb", 4, ""))
    rows = np.random.default_rng(0).standard_normal((6, 8)).astype(np.float32)
    made = generic(specs, 512)
    assert list(made.maps) == ["clip"]
    cosines = made.embed({"clip": rows}) @ made.embed({"clip": rows}).T
    np.testing.assert_allclose(cosines, projection.unit(rows) @ projection.unit(rows).T, atol=0.2)
