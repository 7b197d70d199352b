"""Colours against published values, and what a shopper would call them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from shopvision.images.colour import (
    NAMES,
    colour_blocks,
    dominant_colours,
    foreground,
    named_colours,
    rgb_to_lab,
)
from shopvision.images.preprocess import fit_square

CELL_AREAS = [h * w for h in (38, 37, 37) for w in (38, 37, 37)]  # 112 pixels in three bands


def disc(colour: tuple[int, int, int], ground: tuple[int, int, int] = (255, 255, 255)) -> Image.Image:
    """A disc of half the side in the middle: pi/16 of the area."""
    image = Image.new("RGB", (224, 224), ground)
    ImageDraw.Draw(image).ellipse((56, 56, 168, 168), fill=colour)
    return image


def pixels(*images: Image.Image) -> np.ndarray:
    return np.stack([np.asarray(image) for image in images])


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0, 0)),
    ],
)
def test_lab_of_known_colours(rgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(rgb_to_lab(np.array(rgb)), lab, atol=0.02)


def test_histograms_have_unit_norm_and_are_never_negative() -> None:
    blocks = colour_blocks(
        pixels(disc((200, 30, 40)), Image.effect_noise((224, 224), 80).convert("RGB"))
    ).blocks
    assert {name: block.shape for name, block in blocks.items()} == {
        "colour": (2, 405),
        "figure": (2, 405),
        "layout": (2, 2744),
    }
    for block in blocks.values():
        np.testing.assert_allclose(np.linalg.norm(block, axis=1), 1, atol=1e-5)
        assert block.min() >= 0


def test_one_colour_fills_the_eight_bins_around_it() -> None:
    """Mid grey lies between bins of L only: at most 8 of 405 are filled, and white shares none with black."""
    white, black = colour_blocks(pixels(disc((255,) * 3), disc((0,) * 3, (0,) * 3))).blocks["colour"]
    assert (white > 0).sum() <= 8
    assert float(white @ black) < 1e-6


def test_figure_ignores_the_background_and_colour_does_not() -> None:
    red_on_white, red_on_blue = disc((205, 30, 40)), disc((205, 30, 40), (40, 90, 200))
    blocks = colour_blocks(pixels(red_on_white, red_on_blue)).blocks
    alike = {name: float(block[0] @ block[1]) for name, block in blocks.items()}
    assert alike["figure"] > 0.9 > alike["colour"]
    assert alike["layout"] < 0.5


def test_layout_tells_left_from_right() -> None:
    image = Image.new("RGB", (224, 224), (205, 30, 40))
    image.paste((40, 90, 200), (112, 0, 224, 224))
    blocks = colour_blocks(pixels(image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))).blocks
    assert float(blocks["colour"][0] @ blocks["colour"][1]) == pytest.approx(1, abs=1e-5)
    assert float(blocks["layout"][0] @ blocks["layout"][1]) < 0.8


def test_what_differs_from_the_border_is_foreground() -> None:
    weight = foreground(pixels(disc((205, 30, 40))))[0]
    assert weight.shape == (112, 112)
    assert weight[56, 56] > 0.99
    assert weight[2, 2] < 0.01


def test_an_image_of_one_colour_has_some_weight_everywhere() -> None:
    weight = foreground(pixels(Image.new("RGB", (224, 224), (90, 90, 90))))
    assert 0 < weight.min() == weight.max() < 0.01


def test_a_square_gives_the_same_alone_and_beside_others() -> None:
    squares = pixels(disc((20, 125, 125)), disc((248, 215, 50), (20, 20, 22)))
    both, second = colour_blocks(squares), colour_blocks(squares[1:])
    np.testing.assert_array_equal(both.front, foreground(squares))
    np.testing.assert_array_equal(both.palette[1], second.palette[0])
    for name, block in both.blocks.items():
        np.testing.assert_array_equal(block[1], second.blocks[name][0])


def test_a_quarter_of_the_image_is_one_cell_of_the_pyramid() -> None:
    """White but for a red top left quarter: of the 2x2 grid's cells, exactly the first holds red."""
    image = Image.new("RGB", (224, 224), (255, 255, 255))
    image.paste((205, 30, 40), (0, 0, 112, 112))
    cells = (colour_blocks(pixels(image)).blocks["layout"][0] ** 2).reshape(14, 196)
    np.testing.assert_allclose(
        cells.sum(1), [1 / 3] + [1 / 12] * 4 + [s / 112**2 / 3 for s in CELL_AREAS], rtol=1e-4
    )
    red = colour_blocks(pixels(Image.new("RGB", (224, 224), (205, 30, 40)))).blocks["colour"][0]
    assert (cells[1] > 0).sum() == (red > 0).sum()
    np.testing.assert_allclose(cells[2], cells[4], atol=1e-7)
    assert float(cells[1] @ cells[2]) == 0


def test_no_images_give_no_rows() -> None:
    blocks = colour_blocks(np.empty((0, 224, 224, 3), np.uint8)).blocks
    assert {name: block.shape for name, block in blocks.items()} == {
        "colour": (0, 405),
        "figure": (0, 405),
        "layout": (0, 2744),
    }


@pytest.mark.parametrize("side", [112, 160, 224, 300])
def test_squares_of_any_side_are_taken(side: int) -> None:
    small = pixels(disc((205, 30, 40)).resize((side, side)))
    full = pixels(disc((205, 30, 40)))
    cosine = (colour_blocks(small).blocks["figure"] * colour_blocks(full).blocks["figure"]).sum()
    assert cosine > 0.95


def flat(rgb: tuple[int, int, int]) -> str:
    """What a disc of one colour is called."""
    return dominant_colours(disc(rgb))[0].name


@pytest.mark.parametrize("name", NAMES)
def test_every_named_colour_is_called_by_its_name(name: str) -> None:
    assert flat(NAMES[name]) == name


@pytest.mark.parametrize(
    ("rgb", "name"),
    [((30, 40, 90), "navy"), ((255, 0, 0), "red"), ((0, 0, 0), "black"), ((255, 250, 210), "cream")],
)
def test_near_colours_are_called_as_a_shopper_would(rgb: tuple[int, int, int], name: str) -> None:
    assert flat(rgb) == name


def test_dominant_colours_are_those_of_the_subject() -> None:
    image = disc((25, 35, 85))
    ImageDraw.Draw(image).rectangle((56, 112, 168, 168), fill=(248, 215, 50))
    found = dominant_colours(image)
    assert {colour.name for colour in found} == {"navy", "yellow"}
    assert found[0].share >= found[1].share >= 0.08
    assert sum(colour.share for colour in found) <= 1.001
    navy = next(colour for colour in found if colour.name == "navy")
    assert np.abs(np.array(navy.rgb) - (25, 35, 85)).max() <= 12


def test_a_plain_image_has_its_own_colour() -> None:
    (only,) = dominant_colours(Image.new("RGB", (50, 80), (50, 140, 60)))
    assert (only.name, only.as_dict()["share"]) == ("green", pytest.approx(1.0))


def test_the_bars_of_a_letterbox_are_no_colour_of_a_plain_image() -> None:
    square = fit_square(Image.new("RGB", (80, 50), (50, 140, 60)), 224)
    (only,) = named_colours(colour_blocks(pixels(square)).palette[0])
    assert (only.name, only.share) == ("green", pytest.approx(1.0))
