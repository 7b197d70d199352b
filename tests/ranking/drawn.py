"""Small logs and catalogues, drawn by hand, for the tests of this package."""

from __future__ import annotations

import numpy as np

from shopvision.ranking.features import FEATURES, PLACE, Candidates
from shopvision.ranking.interactions import KINDS, Facts, Interactions, Profile
from shopvision.ranking.training.examples import Lessons

DAY = 86400.0


def log(*rows: tuple[int, int, int, float]) -> Interactions:
    """Views of (subject, visit, item, day)."""
    columns = list(zip(*rows, strict=True)) or [()] * 4
    return Interactions(
        np.array(columns[0], np.int64),
        np.array(columns[1], np.int64),
        np.array(columns[2], np.int32),
        np.full(len(rows), KINDS.index("view"), np.int8),
        np.array(columns[3], np.float64) * DAY,
    )


def facts(*titles: str) -> Facts:
    """A catalogue whose references are ``shop.product:0`` and so on."""
    return Facts(tuple(f"shop.product:{place}" for place in range(len(titles))), titles)


def viewed(*items: int, days: float = 0.0, kind: str = "view") -> Profile:
    """A profile of items, newest first, each a minute older than the one before it."""
    count = len(items)
    nothing = np.full(count, np.nan, np.float32)
    ages = np.arange(count, dtype=np.float32) / 1440 + days
    refs = tuple(f"shop.product:{item}" for item in items)
    return Profile(
        np.array(items, np.int32),
        refs,
        (kind,) * count,
        ages.astype(np.float32),
        nothing,
        nothing,
        np.full(count, -1, np.int32),
    )


def taught(listings: int = 100, length: int = 30, seed: int = 0) -> Lessons:
    """Listings of drawn features whose two most co-visited products, popularity helping, were chosen."""
    rng = np.random.default_rng(seed)
    x = rng.random((listings * length, len(FEATURES)), np.float32)
    truth = 4 * x[:, PLACE["next_sum"]] + 2 * x[:, PLACE["popularity"]] + 0.3 * rng.standard_normal(len(x))
    by_listing = truth.reshape(listings, length)
    chosen = by_listing >= np.sort(by_listing, axis=1)[:, -2:-1]
    return Lessons(
        x,
        chosen.ravel().astype(np.float32),
        np.arange(listings + 1) * length,
        np.arange(listings),
        np.ones(len(x), np.float32),
        np.full(len(x), -1, np.int32),
    )


def plain(numbers: np.ndarray) -> Candidates:
    """Candidates of which nothing but their number is known, in no particular order."""
    length = len(numbers)
    nothing = np.full(length, np.nan, np.float32)
    unknown = np.full(length, -1, np.int32)
    return Candidates(
        numbers.astype(np.int32), nothing, unknown, nothing, np.ones(length, bool), unknown, nothing
    )


def nobody() -> Profile:
    """The profile of a visitor who did nothing yet."""
    none = np.empty(0, np.float32)
    return Profile(np.empty(0, np.int32), (), (), none, none, none, np.empty(0, np.int32))
