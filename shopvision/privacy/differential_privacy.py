"""Laplace mechanism for published sums, with a stated epsilon."""

from __future__ import annotations

import hashlib
import hmac
import math
from collections.abc import Iterable

from django.conf import settings

EPSILON = 1.0  # for one visitor's interest in one product on one day; smaller is more private and noisier
SENSITIVITY = 1.0  # a visitor's views of a product count once a day, so one visitor moves a sum by at most 1


def laplace_scale(epsilon: float = EPSILON, sensitivity: float = SENSITIVITY) -> float:
    """Scale b of the noise: sensitivity / epsilon; its standard deviation is b * sqrt(2).

    Raises:
        ValueError: one of them is not above 0.

    Source: Dwork, McSherry, Nissim and Smith, "Calibrating Noise to Sensitivity in Private Data Analysis",
    TCC 2006.
    """
    if not (epsilon > 0 and sensitivity > 0):
        raise ValueError(f"epsilon {epsilon} and sensitivity {sensitivity} must be above 0")
    return sensitivity / epsilon


def laplace(uniform: float, scale: float) -> float:
    """The Laplace variate of a uniform one in (0, 1), by its inverse distribution function."""
    centred = uniform - 0.5
    return scale * math.copysign(math.log1p(-2 * abs(centred)), centred)


def noisy(count: int, cell: Iterable[str], epsilon: float = EPSILON) -> int:
    """A sum with noise, rounded; below 0 too, so that sums of sums stay unbiased.

    The noise of a cell is always the same, drawn from a keyed hash of its name: asking again and averaging
    takes nothing off it. The cell's true sum must not change any more, so only days past are asked for.
    Rounding to whole numbers after the noise hides the floating-point grid (Mironov, CCS 2012).

    Args:
        cell: names that make the cell unique: what is counted, product, day.
    """
    name = "\0".join((*cell, repr(epsilon))).encode()
    key = hashlib.sha256(b"shopvision.noise" + str(settings.SECRET_KEY).encode()).digest()
    drawn = (
        int.from_bytes(hmac.new(key, name, "sha256").digest()[:8], "big") >> 11
    )  # 53 bits, a float's worth
    return round(count + laplace((drawn + 0.5) / 2**53, laplace_scale(epsilon)))
