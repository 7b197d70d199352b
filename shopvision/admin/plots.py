"""Line charts, bar charts, heat maps and forest plots as accessible SVG text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

FOREST_WIDTH, FOREST_ROW, FOREST_RIGHT, FOREST_TOP, FOREST_BOTTOM = 560, 30, 70, 8, 26
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
    height = FOREST_TOP + FOREST_ROW * len(rows) + FOREST_BOTTOM
    left = min(max(NARROWEST, GAP + LETTER * max(_letters(row.words) for row in rows)), WIDEST)

    def at(value: float) -> float:
        return round(left + (FOREST_WIDTH - left - FOREST_RIGHT) * (value - low) / (high - low), 1)

    lines = format_html_join("", "{}", ((_row(place, row, at, left),) for place, row in enumerate(rows)))
    mark = SafeString()
    if guide is not None:
        mark = format_html(
            '<g class="shopvision-guide"><polyline fill="none" points="{0},{1} {0},{2}"/></g>',
            at(guide),
            FOREST_TOP,
            FOREST_TOP + FOREST_ROW * len(rows),
        )
    return format_html(
        '<svg class="shopvision-chart" role="img" aria-label="{}" viewBox="0 0 {} {}">{}{}</svg>',
        label,
        FOREST_WIDTH,
        height,
        mark,
        lines,
    )


def _letters(words: str) -> int:
    """How wide words are, in Latin letters."""
    return sum(2 if east_asian_width(one) in "WF" else 1 for one in words)


def _row(place: int, row: Whisker, at: Callable[[float], float], left: float) -> SafeString:
    y = FOREST_TOP + FOREST_ROW * place + FOREST_ROW // 2
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
        FOREST_WIDTH - FOREST_RIGHT + 8,
        y + 4,
        row.shown,
    )


WIDTH, HEIGHT = 240, 48
CHART_WIDTH, CHART_HEIGHT = 420, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 12, 46  # what axes and their words take
TICKS = 5  # steps of an axis


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of a chart, from ``low`` to ``high``; ``percent`` writes 0.25 as 25 %."""

    title: str
    low: float = 0.0
    high: float = 1.0
    percent: bool = True

    def share(self, value: float) -> float:
        """Where a value lies between the ends, 0 to 1; values beyond them lie on the end."""
        span = self.high - self.low
        return min(1.0, max(0.0, (value - self.low) / span)) if span > 0 else 0.0

    def ticks(self) -> list[tuple[float, str]]:
        """Places (0 to 1) with their words."""
        values = [self.low + (self.high - self.low) * step / TICKS for step in range(TICKS + 1)]
        return [
            (step / TICKS, f"{value:.0%}".replace("%", " %") if self.percent else f"{value:,.0f}")
            for step, value in enumerate(values)
        ]


@dataclass(frozen=True, slots=True)
class Line:
    """Points joined by a line; ``look`` is a class of the style sheet: main, points or guide."""

    points: Sequence[tuple[float, float]]
    look: str = "main"
    dots: bool = False


def bars(values: Sequence[float], label: str) -> SafeString:
    """One bar a value, the tallest as high as the plot; ``label`` is read aloud. No values gives no plot."""
    top = max(values, default=0)
    if top <= 0:
        return mark_safe("")
    step = WIDTH / len(values)
    parts = [
        f'<rect x="{i * step:.1f}" y="{HEIGHT - HEIGHT * v / top:.1f}" '
        f'width="{max(step - 1, 0.5):.1f}" height="{HEIGHT * v / top:.1f}"/>'
        for i, v in enumerate(values)
    ]
    return _svg("".join(parts), label)


def line(values: Sequence[float], label: str) -> SafeString:
    """A line through the values, from 0 to the largest. Fewer than two values give no plot."""
    top = max(values, default=0)
    if len(values) < 2 or top <= 0:
        return mark_safe("")
    step = WIDTH / (len(values) - 1)
    points = " ".join(f"{i * step:.1f},{HEIGHT - (HEIGHT - 2) * v / top:.1f}" for i, v in enumerate(values))
    return _svg(f'<polyline fill="none" points="{points}"/>', label)


def chart(
    lines: Sequence[Line],
    x: Axis,
    y: Axis,
    label: str,
    band: Sequence[tuple[float, float, float]] = (),
) -> SafeString:
    """Lines between labelled axes with a grid; no chart when the first line has no points.

    Args:
        lines: drawn in this order.
        label: what the chart shows, read aloud.
        band: (x, low, high) of an interval shaded behind the lines.
    """
    if not lines or not lines[0].points:
        return mark_safe("")
    parts = [_grid(x, y), _band(band, x, y), *(_line(one, x, y) for one in lines)]
    return format_html(
        '<svg class="shopvision-chart" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>',
        label,
        CHART_WIDTH,
        CHART_HEIGHT,
        mark_safe("".join(parts)),  # noqa: S308 - each part is escaped
    )


def heat(counts: Sequence[Sequence[int]], label: str) -> SafeString:
    """A square of cells, rows shaded by each cell's share of its row; for many classes, where words find no room."""
    size = len(counts)
    if not size:
        return mark_safe("")
    cells = [
        f'<rect x="{c}" y="{r}" width="1" height="1" fill-opacity="{count / max(1, sum(row)):.2f}"/>'
        for r, row in enumerate(counts)
        for c, count in enumerate(row)
        if count
    ]
    return format_html(
        '<svg class="shopvision-heat" role="img" aria-label="{}" viewBox="0 0 {} {}">{}</svg>',
        label,
        size,
        size,
        mark_safe("".join(cells)),  # noqa: S308 - numbers only
    )


def round_up(value: float) -> float:
    """The least end of an axis at or above a value whose ticks are plain numbers: 110 gives 125."""
    size = 10.0 ** math.floor(math.log10(max(value, 1) / TICKS))
    return next(TICKS * step * size for step in (1, 2, 2.5, 5, 10) if TICKS * step * size >= value)


def _at(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    width, height = CHART_WIDTH - LEFT - RIGHT, CHART_HEIGHT - TOP - BOTTOM
    return LEFT + width * x.share(point[0]), TOP + height * (1 - y.share(point[1]))


def _grid(x: Axis, y: Axis) -> SafeString:
    width, height = CHART_WIDTH - LEFT - RIGHT, CHART_HEIGHT - TOP - BOTTOM
    across = format_html_join(
        "",
        '<line x1="{0}" x2="{1}" y1="{2}" y2="{2}"/><text x="{3}" y="{4}" text-anchor="end">{5}</text>',
        (
            (LEFT, CHART_WIDTH - RIGHT, round(at := TOP + height * (1 - share), 1), LEFT - 6, at + 4, words)
            for share, words in y.ticks()
        ),
    )
    down = format_html_join(
        "",
        '<line y1="{0}" y2="{1}" x1="{2}" x2="{2}"/><text x="{2}" y="{3}" text-anchor="middle">{4}</text>',
        (
            (TOP, TOP + height, round(LEFT + width * share, 1), TOP + height + 16, words)
            for share, words in x.ticks()
        ),
    )
    titles = format_html(
        '<text class="shopvision-axis" x="{}" y="{}" text-anchor="middle">{}</text>'
        '<text class="shopvision-axis" transform="translate(13 {}) rotate(-90)" text-anchor="middle">{}</text>',
        LEFT + width / 2,
        CHART_HEIGHT - 8,
        x.title,
        TOP + height / 2,
        y.title,
    )
    return format_html('<g class="shopvision-grid">{}{}{}</g>', across, down, titles)


def _band(band: Sequence[tuple[float, float, float]], x: Axis, y: Axis) -> str:
    if len(band) < 2:
        return ""
    edge = [_at(x, y, (at, high)) for at, _, high in band]
    edge += [_at(x, y, (at, low)) for at, low, _ in reversed(band)]
    return f'<polygon class="shopvision-band" points="{_points(edge)}"/>'


def _line(one: Line, x: Axis, y: Axis) -> SafeString:
    places = [_at(x, y, point) for point in one.points]
    dots = "".join(f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5"/>' for a, b in places) if one.dots else ""
    return format_html(
        '<g class="shopvision-line shopvision-{}"><polyline fill="none" points="{}"/>{}</g>',
        one.look,
        _points(places),
        mark_safe(dots),  # noqa: S308 - numbers only
    )


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in places)


def _svg(body: str, label: str) -> SafeString:
    return format_html(
        '<svg class="shopvision-plot" role="img" aria-label="{}" viewBox="0 0 {} {}" '
        'preserveAspectRatio="none">{}</svg>',
        label,
        WIDTH,
        HEIGHT,
        mark_safe(body),  # noqa: S308 - numbers only
    )
