"""Outlines of the built-in catalogue's things, drawn as masks on a unit square.

Each kind is a list of parts, back to front: (role, mask painter). Roles say how a part is coloured: ``body``
carries colour and pattern, ``trim`` a darker tone of it, ``light`` a paler one, ``dark`` near-black, ``metal``
grey, ``wood`` brown, ``glow`` a warm white.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import ImageDraw

Pen = ImageDraw.ImageDraw
Painter = Callable[[Pen, int], None]
Part = tuple[str, Painter]
Points = Sequence[tuple[float, float]]


def curve(points: Points, steps: int = 14) -> list[tuple[float, float]]:
    """A closed smooth line through the points (Catmull-Rom)."""
    out = []
    n = len(points)
    for i in range(n):
        p0, p1, p2, p3 = (points[(i + k - 1) % n] for k in range(4))
        for s in range(steps):
            t = s / steps
            out.append(tuple(
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
                for a, b, c, d in zip(p0, p1, p2, p3, strict=True)
            ))  # fmt: skip
    return [(float(p[0]), float(p[1])) for p in out]


def smooth(points: Points) -> Painter:
    """A filled smooth outline."""
    return lambda pen, s: pen.polygon([(x * s, y * s) for x, y in curve(points)], fill=255)


def poly(points: Points) -> Painter:
    """A filled straight outline."""
    return lambda pen, s: pen.polygon([(x * s, y * s) for x, y in points], fill=255)


def oval(x0: float, y0: float, x1: float, y1: float) -> Painter:
    """A filled ellipse."""
    return lambda pen, s: pen.ellipse((x0 * s, y0 * s, x1 * s, y1 * s), fill=255)


def slab(x0: float, y0: float, x1: float, y1: float, r: float = 0.03) -> Painter:
    """A rounded rectangle."""
    return lambda pen, s: pen.rounded_rectangle((x0 * s, y0 * s, x1 * s, y1 * s), r * s, fill=255)


def ring(x0: float, y0: float, x1: float, y1: float, width: float) -> Painter:
    """An ellipse's line."""
    return lambda pen, s: pen.ellipse((x0 * s, y0 * s, x1 * s, y1 * s), outline=255, width=round(width * s))


def bow(x0: float, y0: float, x1: float, y1: float, a: float, b: float, width: float) -> Painter:
    """A piece of an ellipse's line, from angle a to b in degrees."""
    return lambda pen, s: pen.arc((x0 * s, y0 * s, x1 * s, y1 * s), a, b, fill=255, width=round(width * s))


def rod(points: Points, width: float) -> Painter:
    """A line with round joints."""
    return lambda pen, s: pen.line(
        [(x * s, y * s) for x, y in points], fill=255, width=round(width * s), joint="curve"
    )


def mirrored(points: Points) -> list[tuple[float, float]]:
    """An outline from its left half, top to bottom."""
    return [*points, *((1 - x, y) for x, y in reversed(points))]


SHAPES: dict[str, list[Part]] = {
    "mug": [
        ("body", bow(0.62, 0.36, 0.90, 0.70, -95, 95, 0.055)),
        ("body", smooth(mirrored([(0.24, 0.26), (0.245, 0.5), (0.26, 0.74), (0.32, 0.8), (0.46, 0.81)]))),
        ("trim", oval(0.235, 0.215, 0.765, 0.305)),
        ("dark", oval(0.26, 0.23, 0.74, 0.292)),
    ],
    "t-shirt": [
        ("body", poly(mirrored([(0.41, 0.17), (0.28, 0.21), (0.07, 0.39), (0.17, 0.52), (0.28, 0.44), (0.275, 0.86)]))),
        ("trim", bow(0.38, 0.06, 0.62, 0.27, 15, 165, 0.025)),
        ("trim", rod([(0.275, 0.845), (0.725, 0.845)], 0.008)),
    ],
    "dress": [
        ("body", smooth(mirrored([(0.40, 0.10), (0.385, 0.26), (0.415, 0.38), (0.37, 0.52), (0.24, 0.88), (0.38, 0.92)]))),
        ("trim", poly(mirrored([(0.412, 0.375), (0.408, 0.42)]))),
    ],
    "trainer": [
        ("light", smooth([(0.07, 0.66), (0.5, 0.70), (0.93, 0.66), (0.94, 0.74), (0.5, 0.78), (0.08, 0.75)])),
        ("body", smooth([(0.09, 0.42), (0.16, 0.36), (0.34, 0.40), (0.50, 0.50), (0.74, 0.55), (0.92, 0.63), (0.90, 0.69), (0.50, 0.70), (0.09, 0.69), (0.07, 0.55)])),
        ("trim", smooth([(0.10, 0.42), (0.17, 0.40), (0.20, 0.52), (0.16, 0.68), (0.09, 0.68)])),
        ("light", rod([(0.36, 0.47), (0.46, 0.42)], 0.018)),
        ("light", rod([(0.42, 0.51), (0.52, 0.46)], 0.018)),
        ("light", rod([(0.48, 0.545), (0.58, 0.50)], 0.018)),
        ("dark", smooth([(0.14, 0.37), (0.24, 0.375), (0.33, 0.41), (0.22, 0.43)])),
    ],
    "handbag": [
        ("trim", bow(0.30, 0.12, 0.70, 0.72, 180, 360, 0.035)),
        ("body", smooth(mirrored([(0.20, 0.42), (0.16, 0.6), (0.14, 0.82), (0.22, 0.87)]))),
        ("trim", smooth(mirrored([(0.20, 0.415), (0.19, 0.5), (0.26, 0.57), (0.42, 0.60)]))),
        ("metal", slab(0.465, 0.565, 0.535, 0.635, 0.012)),
    ],
    "table lamp": [
        ("metal", smooth(mirrored([(0.34, 0.87), (0.36, 0.83), (0.46, 0.81)]))),
        ("wood", smooth(mirrored([(0.47, 0.50), (0.43, 0.62), (0.42, 0.72), (0.465, 0.83)]))),
        ("glow", oval(0.36, 0.46, 0.64, 0.53)),
        ("body", poly(mirrored([(0.38, 0.14), (0.24, 0.50)]))),
    ],
    "chair": [
        ("wood", rod([(0.30, 0.60), (0.25, 0.92)], 0.03)), ("wood", rod([(0.70, 0.60), (0.75, 0.92)], 0.03)),
        ("wood", rod([(0.36, 0.60), (0.37, 0.84)], 0.024)), ("wood", rod([(0.64, 0.60), (0.63, 0.84)], 0.024)),
        ("body", smooth(mirrored([(0.30, 0.16), (0.26, 0.34), (0.29, 0.53), (0.40, 0.55)]))),
        ("trim", smooth(mirrored([(0.24, 0.545), (0.21, 0.60), (0.28, 0.66), (0.42, 0.67)]))),
    ],
    "hat": [
        ("trim", oval(0.07, 0.56, 0.93, 0.78)),
        ("body", smooth(mirrored([(0.27, 0.66), (0.29, 0.42), (0.36, 0.29), (0.46, 0.31)]))),
        ("dark", smooth(mirrored([(0.272, 0.56), (0.268, 0.655), (0.36, 0.69), (0.46, 0.70)]))),
    ],
    "bottle": [
        ("metal", slab(0.43, 0.07, 0.57, 0.17, 0.02)),
        ("body", smooth(mirrored([(0.44, 0.16), (0.43, 0.24), (0.35, 0.33), (0.34, 0.60), (0.345, 0.88), (0.38, 0.92)]))),
        ("trim", slab(0.342, 0.76, 0.658, 0.80, 0.0)),
    ],
    "wristwatch": [
        ("trim", slab(0.40, 0.04, 0.60, 0.40, 0.03)), ("trim", slab(0.40, 0.60, 0.60, 0.96, 0.03)),
        ("metal", oval(0.26, 0.26, 0.74, 0.74)), ("body", oval(0.30, 0.30, 0.70, 0.70)),
        ("light", rod([(0.5, 0.5), (0.5, 0.35)], 0.016)), ("light", rod([(0.5, 0.5), (0.60, 0.55)], 0.016)),
        ("metal", slab(0.735, 0.475, 0.775, 0.525, 0.008)),
    ],
    "cushion": [
        ("body", smooth(mirrored([(0.14, 0.15), (0.18, 0.36), (0.175, 0.64), (0.13, 0.86), (0.36, 0.83)]))),
        ("trim", oval(0.475, 0.475, 0.525, 0.525)),
    ],
    "backpack": [
        ("trim", bow(0.41, 0.06, 0.59, 0.24, 180, 360, 0.028)),
        ("trim", slab(0.15, 0.46, 0.26, 0.84, 0.05)), ("trim", slab(0.74, 0.46, 0.85, 0.84, 0.05)),
        ("body", smooth(mirrored([(0.36, 0.14), (0.25, 0.26), (0.22, 0.60), (0.22, 0.88), (0.34, 0.91)]))),
        ("trim", slab(0.30, 0.56, 0.70, 0.84, 0.05)),
        ("metal", rod([(0.33, 0.62), (0.67, 0.62)], 0.014)),
    ],
    "vase": [
        ("body", smooth(mirrored([(0.40, 0.12), (0.44, 0.24), (0.33, 0.42), (0.29, 0.60), (0.36, 0.82), (0.41, 0.89)]))),
        ("dark", oval(0.405, 0.105, 0.595, 0.15)),
    ],
    "umbrella": [
        ("wood", rod([(0.5, 0.14), (0.5, 0.80)], 0.018)),
        ("wood", bow(0.40, 0.72, 0.509, 0.88, 0, 180, 0.022)),
        ("body", lambda pen, s: pen.pieslice((0.08 * s, 0.14 * s, 0.92 * s, 0.98 * s), 180, 360, fill=255)),
        ("trim", rod([(0.5, 0.145), (0.36, 0.55)], 0.006)), ("trim", rod([(0.5, 0.145), (0.64, 0.55)], 0.006)),
    ],
}  # fmt: skip
