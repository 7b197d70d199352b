"""Forest: values with their intervals beneath one another, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTH, ROW, RIGHT, TOP, BOTTOM = 560, 30, 70, 8, 26
LETTER, GAP = 6.6, 20  # of the names before the rows: units a letter takes, and beside them
NARROWEST, WIDEST = 90, 300


@dataclass(frozen=True, slots=True)
class Whisker:
    """One row.

    Args:
        words: what it is of.
        value: the dot. low, high: the interval; nan or None for none.
        shown: the value in words.
        main: the row that the others are compared with.
    """

    words: str
    value: float
    low: float | None
    high: float | None
    shown: str
    main: bool = False


def forest(rows: Sequence[Whisker], label: str, guide: float | None = None) -> SafeString:
    """Dots with whiskers on one scale; no rows give no plot.

    Args:
        label: what the plot shows, read aloud.
        guide: a value marked by a dashed line, such as nought.
    """
    if not rows:
        return SafeString()
    ends = [
        one
        for row in rows
        for one in (row.value, row.low, row.high)
        if one is not None and not math.isnan(one)
    ]
    ends += [] if guide is None else [guide]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    low, high = low - 0.05 * span, high + 0.05 * span
    height = TOP + ROW * len(rows) + BOTTOM
    left = min(max(NARROWEST, GAP + LETTER * max(_letters(row.words) for row in rows)), WIDEST)

    def at(value: float) -> float:
        return round(left + (WIDTH - left - RIGHT) * (value - low) / (high - low), 1)

    lines = format_html_join("", "{}", ((_row(place, row, at, left),) for place, row in enumerate(rows)))
    mark = SafeString()
    if guide is not None:
        mark = format_html(
            '<g class="shopvision-guide"><polyline fill="none" points="{0},{1} {0},{2}"/></g>',
            at(guide),
            TOP,
            TOP + ROW * len(rows),
        )
    return format_html(
        '<svg class="shopvision-chart" role="img" aria-label="{}" viewBox="0 0 {} {}">{}{}</svg>',
        label,
        WIDTH,
        height,
        mark,
        lines,
    )


def _letters(words: str) -> int:
    """How wide words are, in Latin letters."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in words)


def _row(place: int, row: Whisker, at: Callable[[float], float], left: float) -> SafeString:
    y = TOP + ROW * place + ROW // 2
    bounds = [one for one in (row.low, row.high) if one is not None and not math.isnan(one)]
    whisker = SafeString()
    if len(bounds) == 2:
        whisker = format_html(
            '<polyline fill="none" points="{0},{2} {1},{2}"/>', at(bounds[0]), at(bounds[1]), y
        )
    return format_html(
        '<text class="shopvision-axis" x="{}" y="{}" text-anchor="end">{}</text>'
        '<g class="shopvision-line shopvision-main">{}<circle cx="{}" cy="{}" r="{}"/></g>'
        '<text x="{}" y="{}">{}</text>',
        round(left - GAP / 2),
        y + 4,
        row.words,
        whisker,
        at(row.value),
        y,
        5 if row.main else 3.5,
        WIDTH - RIGHT + 8,
        y + 4,
        row.shown,
    )
