"""WithColour: add our colour blocks to the blocks of any encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.utils.module_loading import import_string
from PIL.Image import Image

from ..images.preprocess import PreprocessSpec, squares
from .base import Descriptors, Encoder
from .descriptor import PIXEL_BLOCKS, describe_pixels

SQUARE = PreprocessSpec()  # letterboxed on white, 224 px: what the colour blocks are measured on


class WithColour(Encoder):
    """Adds colour histograms, a thumbnail for finding copies, and colour names to another encoder.

    ``SHOPVISION = {"ENCODER": {"BACKEND": "shopvision.encoders.with_colour.WithColour", "OPTIONS": {"encoder":
    "yourapp.encoders.Clip"}}}``

    Args:
        encoder: dotted path of a callable that returns an encoder; its blocks must not be named as ours.
        options: its keyword arguments.
    """

    def __init__(self, encoder: str, **options: object) -> None:
        make: Callable[..., Encoder] = import_string(encoder)
        self._encoder = make(**options)
        inner = self._encoder.spec
        self.spec = replace(inner, name=f"{inner.name}+colour", blocks=(*inner.blocks, *PIXEL_BLOCKS))
        self.supports_text = self._encoder.supports_text

    def describe(self, images: Sequence[Image]) -> Descriptors:
        """The encoder's own blocks, then ours."""
        return {**self._encoder.describe(images), **describe_pixels(squares(images, SQUARE))}

    def describe_text(self, texts: Sequence[str]) -> Descriptors:
        """As the encoder does it: texts have no colour blocks."""
        return self._encoder.describe_text(texts)

    def check(self) -> list[str]:
        """As the encoder says."""
        return self._encoder.check()

    def health(self) -> bool:
        """As the encoder says."""
        return self._encoder.health()

    def close(self) -> None:
        """Close the encoder."""
        self._encoder.close()
