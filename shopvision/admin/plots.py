"""Small plots as SVG text: no script, no inline style, readable by a screen reader."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

WIDTH, HEIGHT = 240, 48


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


def _svg(body: str, label: str) -> SafeString:
    return format_html(
        '<svg class="shopvision-plot" role="img" aria-label="{}" viewBox="0 0 {} {}" '
        'preserveAspectRatio="none">{}</svg>',
        label,
        WIDTH,
        HEIGHT,
        mark_safe(body),  # noqa: S308 - numbers only
    )
