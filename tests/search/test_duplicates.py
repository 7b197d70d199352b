from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.base import ContentFile
from PIL import Image, ImageDraw

from demo_shop.art import Thing, draw_view
from shopvision.catalogue.models import CatalogueImage
from shopvision.indexing.pipeline import drain_outbox
from shopvision.search.duplicates import find_duplicates
from tests.drawing import photo_file
from tests.factories import DemoProductFactory, demo_ref

pytestmark = pytest.mark.django_db


def test_duplicates_are_found_by_file_and_by_look(live_release: Any) -> None:
    first = DemoProductFactory(image=photo_file(1))
    copy = DemoProductFactory(image=photo_file(1))
    small = DemoProductFactory(image=photo_file(1, side=100))
    DemoProductFactory(image=photo_file(2))
    drain_outbox()
    pairs = {(p.first, p.second): p.reason for p in find_duplicates()}
    assert pairs[(demo_ref(first), demo_ref(copy))] == "same file"
    assert pairs[(demo_ref(first), demo_ref(small))] in ("same picture", "same look")
    assert len(pairs) <= 3


def test_products_of_one_outline_and_other_colours_are_no_duplicates(live_release: Any) -> None:
    """Four discs on white: their hashes are the same, the products are not."""
    for colour in ("red", "blue", "yellow", "black"):
        DemoProductFactory(image=disc(colour))
    drain_outbox()
    assert len(set(CatalogueImage.objects.values_list("perceptual_hash", flat=True))) < 4
    assert find_duplicates() == []


@pytest.mark.parametrize(
    ("colour", "other"), [("navy", "purple"), ("white", "grey"), ("green", "teal"), ("pink", "white")]
)
def test_a_recoloured_drawing_is_no_copy_and_a_smaller_file_of_it_is(
    live_release: Any, colour: str, other: str
) -> None:
    """Alike but for a shade: the hashes are the same, grey and colours must both be a copy's."""
    drawn = Thing("mug", colour, "checked", "beige", 7)
    image = draw_view(drawn, 0)
    first = DemoProductFactory(image=file(image, 90))
    DemoProductFactory(image=file(draw_view(replace(drawn, colour=other), 0), 90))
    small = DemoProductFactory(image=file(image.resize((image.width // 2, image.height // 2)), 50))
    drain_outbox()
    pairs = {(one.first, one.second): one.reason for one in find_duplicates()}
    assert pairs == {(demo_ref(first), demo_ref(small)): "same picture"}


def file(image: Image.Image, quality: int) -> ContentFile[bytes]:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return ContentFile(out.getvalue(), name="drawn.jpg")


def disc(colour: str) -> ContentFile[bytes]:
    image = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(image).ellipse((60, 60, 240, 240), fill=colour)
    return file(image, 90)
