"""An encoder from outside that gives one pooled vector works end to end, alone and beside our colour blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL.Image import Image

from shopvision import listings
from shopvision.encoders.base import BlockSpec, Descriptors, Encoder, EncoderSpec, check_blocks
from shopvision.encoders.remote import answer_request, decode_response, encode_request
from shopvision.exceptions import Misconfigured
from shopvision.indexing import encoder_releases
from shopvision.indexing.pipeline import drain_outbox
from shopvision.tuning import tuner
from tests.contracts.encoder import EncoderContract
from tests.drawing import draw
from tests.factories import DemoProductFactory, demo_ref


class Pooled(Encoder):
    """Sixteen cells of a photo in one row: as little as an encoder needs to say."""

    spec = EncoderSpec("tests.pooled", "0" * 64, "fp32", (BlockSpec("clip", 48, "semantic"),))

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def describe(self, images: Sequence[Image]) -> Descriptors:
        cells = [
            np.asarray(image.convert("RGB").resize((4, 4)), np.float32).ravel() / 255 for image in images
        ]
        return {"clip": self.gain * np.array(cells, np.float32).reshape(len(images), 48)}


class TestPooled(EncoderContract):
    """The contract that every encoder keeps."""

    @pytest.fixture(scope="class")
    def encoder(self) -> Encoder:
        return Pooled()


HERE = __name__
WITH_COLOUR = {
    "BACKEND": "shopvision.encoders.with_colour.WithColour",
    "OPTIONS": {"encoder": f"{HERE}.Pooled", "gain": 2.0},
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("encoder", "blocks"),
    [(f"{HERE}.Pooled", {"clip"}), (WITH_COLOUR, {"clip", "colour", "figure", "layout", "thumb"})],
)
def test_it_indexes_and_finds_the_demos_products(
    encoder: Any, blocks: set[str], data_dir: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "ENCODER": encoder}
    encoder_releases.reset()
    products = DemoProductFactory.create_batch(12)
    drain_outbox()
    live = encoder_releases.live()
    assert {one.name for one in live.encoder.spec.blocks} == blocks
    assert live.index.count() == 12
    for product in products[:4]:
        with product.image.open() as file:
            found = listings.search_by_photo(file.read())
        assert found.hits[0].product.object_id == str(product.pk)
        assert len(listings.similar_products(demo_ref(product)).hits) == 11
    monkeypatch.setattr(tuner, "MIN_PHOTOS", 12)
    row = tuner.tune(force=True)
    assert row.state == "live"
    assert encoder_releases.live().index.count() == 12
    encoder_releases.reset()


@pytest.mark.parametrize(
    ("described", "found"),
    [
        ({"pooled": np.zeros((1, 48), np.float32)}, r"it gave pooled float32 \(1, 48\)"),
        ({"clip": np.zeros((1, 47), np.float32)}, r"it gave clip float32 \(1, 47\)"),
        ({"clip": np.full((1, 48), np.nan, np.float32)}, r"it gave clip float32 \(1, 48\) not finite"),
        (np.zeros((1, 48), np.float32), "it gave ndarray"),
        ({}, "it gave -"),
    ],
)
def test_an_encoder_that_gives_other_blocks_than_its_record_is_refused_with_both_lists(
    described: Any, found: str
) -> None:
    encoder = Pooled()
    encoder.describe = lambda images: described  # type: ignore[method-assign]
    with pytest.raises(Misconfigured, match=r"clip float32 \(1, 48\); " + found):
        check_blocks(encoder)


@pytest.mark.parametrize(
    "blocks",
    [
        (BlockSpec("a,b", 48, "semantic"),),
        (BlockSpec("clip", 70_000, "semantic"),),
        (BlockSpec("clip", 48, ""),),
        (BlockSpec("clip", 24, "semantic"), BlockSpec("clip", 24, "semantic")),
    ],
)
def test_a_record_that_cannot_be_stored_or_compared_is_refused(blocks: tuple[BlockSpec, ...]) -> None:
    encoder = Pooled()
    encoder.spec = replace(Pooled.spec, blocks=blocks)
    with pytest.raises(Misconfigured, match="cannot be used"):
        check_blocks(encoder)


def test_a_worker_sees_the_photo_as_it_is_and_answers_with_the_blocks_of_the_record() -> None:
    """A pooled encoder sizes photos itself: letterboxed for sending, one would be described otherwise."""
    encoder, photo = Pooled(), draw(3).resize((200, 60))
    answer = decode_response(encoder.spec, answer_request(encoder, encode_request(encoder.spec, [photo])), 1)
    np.testing.assert_array_equal(answer["clip"], encoder.describe([photo])["clip"])
    with pytest.raises(Misconfigured, match="it gave clip"):
        decode_response(encoder.spec, answer_request(encoder, encode_request(encoder.spec, [photo])), 2)
