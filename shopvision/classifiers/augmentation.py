"""Deterministic photo augmentation for training networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset
from torchvision.transforms import InterpolationMode, v2

from ..exceptions import ImageRejected
from ..images.decode import decode
from ..images.preprocess import PreprocessSpec, fit_square

PLAIN, MIRRORED = 0, 1
"""Views that are the same at every training: the photo as it is, and mirrored; both are used to judge."""
FIRST_AUGMENTED = 2
WHITE = 255  # what letterboxing fills with, so that moved pictures have no other border

View = tuple[int, int]
"""Row of a photo, and number of the view."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a view may differ from the photo.

    Args:
        degrees: of rotation, either way.
        shift: share of the side, either way.
        shear: degrees, either way.
        zoom: smallest and largest scale.
        jitter: of brightness, contrast and saturation, as shares; of the hue a seventh of that.
        operations, magnitude: of RandAugment (magnitude 0 to 30).
        flip: mirror half of the views.
    """

    degrees: float = 15.0
    shift: float = 0.08
    shear: float = 8.0
    zoom: tuple[float, float] = (0.85, 1.3)
    jitter: float = 0.2
    operations: int = 2
    magnitude: int = 7
    flip: bool = True


MILD = Augmentation(5.0, 0.05, 0.0, (0.9, 1.1), 0.1, 0)
"""Of a network from scratch, which has eight epochs: held-out accuracy 0.44, with the other 0.32 after twelve."""


def transform(augmentation: Augmentation) -> Any:
    """The augmentation as a torchvision transform of squares.

    Source: Cubuk et al., "RandAugment", CVPR Workshops 2020.
    """
    jitter = augmentation.jitter
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(0.5 if augmentation.flip else 0.0),
            v2.RandomAffine(
                augmentation.degrees,
                translate=(augmentation.shift, augmentation.shift),
                scale=augmentation.zoom,
                shear=augmentation.shear,
                interpolation=InterpolationMode.BILINEAR,
                fill=WHITE,
            ),
            v2.ColorJitter(jitter, jitter, jitter, jitter / 7),
            v2.RandAugment(augmentation.operations, augmentation.magnitude, fill=WHITE),
        ]
    )


class Views(Dataset[torch.Tensor]):  # type: ignore[misc]
    """Squares of photos by (row, view), decoded when asked for: memory does not grow with their number.

    Args:
        read: row -> the photo file's bytes.
        preprocess: size and fit of the square.
        augmentation: of views from ``FIRST_AUGMENTED`` on.
        seed: with the row and the view it decides how a view looks.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        preprocess: PreprocessSpec,
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        self._read, self._spec, self._seed = read, preprocess, seed
        self._transform = transform(augmentation)

    def __getitem__(self, view: View) -> torch.Tensor:
        """uint8 (3, S, S).

        Raises:
            ImageRejected: the file is no photo; the message says which row.
        """
        row, number = view
        try:
            image = decode(self._read(row), max_side=2 * self._spec.size)
        except ImageRejected as error:
            raise ImageRejected(
                error.code, "photo_of_row_rejected", release=row, text=error.message
            ) from error
        square = fit_square(image, self._spec.size, self._spec.fit)
        if number == MIRRORED:
            square = square.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        elif number >= FIRST_AUGMENTED:
            square = self._augment(square, row, number)
        return torch.from_numpy(np.asarray(square).transpose(2, 0, 1).copy())

    def _augment(self, square: Image.Image, row: int, number: int) -> Image.Image:
        """Random numbers of their own, so that neither order nor a restart changes a view."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(np.random.SeedSequence([self._seed, row, number]).generate_state(1)[0].item())
            view: Image.Image = self._transform(square)
        return view


def normalised(pixels: torch.Tensor, preprocess: PreprocessSpec) -> torch.Tensor:
    """uint8 (N, 3, S, S) -> float32, ``(x - mean) / std`` per channel, on the same device, channels last."""
    mean, std = (
        torch.tensor(value, device=pixels.device)[:, None, None]
        for value in (preprocess.mean, preprocess.std)
    )
    return ((pixels.float() - mean) / std).contiguous(memory_format=torch.channels_last)


def epoch_views(rows: Sequence[int], epoch: int, views: int) -> list[View]:
    """One augmented view of each row, another each epoch, beginning again after ``views`` epochs."""
    return [(row, FIRST_AUGMENTED + (epoch + row) % views) for row in rows]
