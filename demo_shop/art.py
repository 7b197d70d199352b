"""The built-in catalogue, drawn by code: things in colours and patterns, three views each, and phone photos."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from demo_shop.shapes import SHAPES

SIDE = 480  # pixels of a catalogue image
SCALE = 2  # drawn this much larger, then reduced: smooth edges
DRAWN = SIDE * SCALE
VIEWS = 3
PHONE = (480, 600)

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (200, 44, 52), "orange": (232, 128, 48), "yellow": (240, 196, 64), "green": (58, 132, 82),
    "teal": (32, 128, 136), "blue": (52, 100, 190), "navy": (34, 46, 92), "purple": (118, 74, 150),
    "pink": (232, 140, 168), "white": (238, 236, 230), "grey": (128, 132, 138), "black": (44, 44, 50),
    "beige": (208, 184, 148), "brown": (122, 82, 56),
}  # fmt: skip
PATTERNS = ("plain", "striped", "dotted", "checked", "floral")
PRICES = {
    "mug": 9, "t-shirt": 19, "dress": 59, "trainer": 79, "handbag": 89, "table lamp": 65, "chair": 149, "hat": 29,
    "bottle": 24, "wristwatch": 129, "cushion": 22, "backpack": 69, "vase": 35, "umbrella": 27,
}  # fmt: skip
SHELVES = {
    "mug": "Kitchen > Mugs", "bottle": "Kitchen > Bottles", "t-shirt": "Clothing > T-shirts",
    "dress": "Clothing > Dresses", "trainer": "Clothing > Shoes", "hat": "Clothing > Hats",
    "handbag": "Bags > Handbags", "backpack": "Bags > Backpacks", "table lamp": "Home > Lamps",
    "chair": "Home > Chairs", "cushion": "Home > Cushions", "vase": "Home > Vases",
    "wristwatch": "Accessories > Watches", "umbrella": "Accessories > Umbrellas",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Thing:
    """One product to draw."""

    kind: str
    colour: str
    pattern: str
    second: str
    seed: int

    @property
    def title(self) -> str:
        """As the shop would call it."""
        look = self.colour if self.pattern == "plain" else f"{self.pattern} {self.colour}"
        return f"{look} {self.kind}".capitalize()

    @property
    def description(self) -> str:
        """A line for the product page."""
        extra = "" if self.pattern == "plain" else f" with {self.second} {self.pattern} pattern"
        return f"A {self.colour} {self.kind}{extra}, from the demo shop's own workshop."

    @property
    def price(self) -> float:
        """In the demo's currency."""
        return PRICES[self.kind] + (self.seed % 4) * 2.5 + 0.5


def things(per_kind: int = 9) -> list[Thing]:
    """The whole catalogue, always the same: every kind in ``per_kind`` looks."""
    found = []
    names = list(COLOURS)
    for k, kind in enumerate(SHAPES):
        for i in range(per_kind):
            colour = names[(k * 5 + i * 3) % len(names)]
            pattern = PATTERNS[(i + k) % len(PATTERNS)]
            second = "white" if colour not in ("white", "yellow", "beige") else ("navy", "red", "teal")[i % 3]
            found.append(Thing(kind, colour, pattern, second, k * 100 + i))
    return found


def draw_view(thing: Thing, view: int) -> Image.Image:
    """One catalogue image on white: front; turned and smaller; close from the other side."""
    turn, size, flip, shift = ((0, 0.92, False, 0.0), (-11, 0.78, False, 0.02), (6, 1.12, True, 0.03))[view]
    figure = _turned(_figure(thing), turn, size, flip)
    page = Image.new("RGB", (DRAWN, DRAWN), (255, 255, 255))
    page = Image.composite(_tone(), page, Image.new("L", page.size, 70))
    _put(page, figure, (DRAWN - figure.width) // 2, int((DRAWN - figure.height) / 2 + shift * DRAWN))
    return page.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def phone_photo(thing: Thing, number: int = 0) -> Image.Image:
    """The thing as a shopper would take it: at home, at an angle, in the lamp's light, among other things."""
    rng = np.random.default_rng(thing.seed * 10 + number + 7)
    width, height = PHONE[0] * SCALE, PHONE[1] * SCALE
    page = _room(rng, width, height)
    for _ in range(int(rng.integers(3, 6))):
        other = things()[int(rng.integers(0, 126))]
        prop = _turned(_figure(other), float(rng.uniform(-60, 60)), float(rng.uniform(0.25, 0.45)), False)
        prop = prop.filter(ImageFilter.GaussianBlur(rng.uniform(3, 8)))
        _put(page, prop, int(rng.uniform(-0.2, 0.9) * width), int(rng.uniform(-0.1, 0.35) * height))
    size, turn = float(rng.uniform(0.62, 0.8)), float(rng.uniform(-14, 14))
    figure = _turned(_figure(thing), turn, size, False)
    x = int((width - figure.width) / 2 + rng.uniform(-0.06, 0.06) * width)
    y = int((height - figure.height) / 2 + rng.uniform(0.02, 0.12) * height)
    _put(page, figure, x, y)
    small = np.asarray(page.resize(PHONE, Image.Resampling.LANCZOS), np.float32)
    light = rng.uniform(0.85, 1.08) * np.array([rng.uniform(1.0, 1.07), 1.0, rng.uniform(0.88, 1.0)])
    noisy = small * light + rng.normal(0, 4.0, small.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))


@lru_cache(maxsize=1)
def _tone() -> Image.Image:
    """A soft grey towards the bottom, as of a studio table."""
    ramp = np.linspace(255, 226, DRAWN)[:, None] * np.ones((1, DRAWN))
    return Image.fromarray(ramp.astype(np.uint8)).convert("RGB")


@lru_cache(maxsize=64)
def _figure(thing: Thing) -> Image.Image:
    """The thing alone on a transparent square, shaded and patterned."""
    figure = Image.new("RGBA", (DRAWN, DRAWN), (0, 0, 0, 0))
    for role, paint in SHAPES[thing.kind]:
        mask = Image.new("L", (DRAWN, DRAWN), 0)
        paint(ImageDraw.Draw(mask), DRAWN)
        figure.paste(_shaded(_surface(thing, role), mask), (0, 0), mask)
    return figure


def _surface(thing: Thing, role: str) -> Image.Image:
    base = np.array(COLOURS[thing.colour])
    flat = {
        "trim": base * 0.72,
        "light": 255 - (255 - base) * 0.18,
        "dark": base * 0.22 + 12,
        "metal": np.array([176, 180, 186]),
        "wood": np.array([150, 104, 66]),
        "glow": np.array([255, 236, 190]),
    }
    if role in flat:
        return Image.new("RGB", (DRAWN, DRAWN), tuple(int(c) for c in flat[role]))
    return _patterned(thing)


def _patterned(thing: Thing) -> Image.Image:
    """The body's cloth or glaze."""
    rng = np.random.default_rng(thing.seed)
    sheet = Image.new("RGB", (DRAWN, DRAWN), COLOURS[thing.colour])
    pen, ink = ImageDraw.Draw(sheet), COLOURS[thing.second]
    step = int(DRAWN * rng.uniform(0.065, 0.1))
    if thing.pattern == "striped":
        across = bool(thing.seed % 2)
        for at in range(0, DRAWN, step):
            box = (0, at, DRAWN, at + step * 0.38) if across else (at, 0, at + step * 0.38, DRAWN)
            pen.rectangle(box, fill=ink)
    elif thing.pattern == "dotted":
        for row, y in enumerate(range(0, DRAWN, step)):
            for x in range(-(row % 2) * step // 2, DRAWN, step):
                pen.ellipse((x, y, x + step * 0.48, y + step * 0.48), fill=ink)
    elif thing.pattern == "checked":
        return _checked(sheet, ink, step)
    elif thing.pattern == "floral":
        for _ in range(110):
            _flower(pen, rng.uniform(0, DRAWN, 2), rng.uniform(0.018, 0.034) * DRAWN, ink)
    return sheet


def _checked(sheet: Image.Image, ink: tuple[int, int, int], step: int) -> Image.Image:
    """Two sets of half-transparent bands."""
    for across in (True, False):
        bands = Image.new("L", sheet.size, 0)
        pen = ImageDraw.Draw(bands)
        for at in range(0, DRAWN, step * 2):
            pen.rectangle((0, at, DRAWN, at + step) if across else (at, 0, at + step, DRAWN), fill=120)
        sheet = Image.composite(Image.new("RGB", sheet.size, ink), sheet, bands)
    return sheet


def _flower(pen: ImageDraw.ImageDraw, at: np.ndarray, size: float, ink: tuple[int, int, int]) -> None:
    for k in range(5):
        x = at[0] + size * math.cos(k * 1.2566)
        y = at[1] + size * math.sin(k * 1.2566)
        pen.ellipse((x - size * 0.6, y - size * 0.6, x + size * 0.6, y + size * 0.6), fill=ink)
    pen.ellipse(
        (at[0] - size * 0.4, at[1] - size * 0.4, at[0] + size * 0.4, at[1] + size * 0.4), fill=(244, 200, 80)
    )


def _shaded(surface: Image.Image, mask: Image.Image) -> Image.Image:
    """Rounded by light from the upper left: the blurred outline is taken for height."""
    small = mask.resize((DRAWN // 4, DRAWN // 4))
    near = np.asarray(small.filter(ImageFilter.GaussianBlur(DRAWN / 150)), np.float32) / 255
    wide = np.asarray(small.filter(ImageFilter.GaussianBlur(DRAWN / 40)), np.float32) / 255
    height = 0.4 * near + 0.6 * wide
    dy, dx = np.gradient(height)
    light = 1 + np.clip((dx + dy) * 9, -0.45, 0.3) - 0.18 * (1 - height)
    gloss = np.clip((dx + dy) * 9 - 0.16, 0, 0.3)
    factor = Image.fromarray(np.clip(light * 160, 0, 255).astype(np.uint8)).resize(surface.size)
    shine = Image.fromarray(np.clip(gloss * 255, 0, 255).astype(np.uint8)).resize(surface.size)
    pixels = np.asarray(surface, np.float32) * (np.asarray(factor, np.float32) / 160)[..., None]
    pixels += np.asarray(shine, np.float32)[..., None] * 0.5
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _turned(figure: Image.Image, angle: float, size: float, flip: bool) -> Image.Image:
    side = max(8, int(DRAWN * size))
    small = figure.resize((side, side), Image.Resampling.LANCZOS)
    if flip:
        small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return small.rotate(angle, Image.Resampling.BICUBIC, expand=True) if angle else small


def _put(page: Image.Image, figure: Image.Image, x: int, y: int) -> None:
    """Place a figure with a soft shadow below it."""
    alpha = figure.getchannel("A")
    drop = DRAWN // 40
    shadow = Image.new("L", page.size, 0)
    shadow.paste(alpha.resize((figure.width, max(1, int(figure.height * 0.98)))), (x + drop // 2, y + drop))
    reduced = shadow.resize((page.width // 8, page.height // 8))
    soft = reduced.filter(ImageFilter.GaussianBlur(DRAWN / 300)).resize(page.size)
    dark = ImageChops.multiply(page, Image.merge("RGB", [soft.point(lambda v: 255 - int(v * 0.34))] * 3))
    page.paste(dark)
    page.paste(figure, (x, y), figure)


def _room(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """A wall and a table top with grain, in some colours of a home."""
    wall = np.array(
        [(214, 205, 192), (176, 190, 196), (196, 180, 160), (158, 166, 150)][int(rng.integers(0, 4))]
    )
    table = np.array(
        [(158, 118, 82), (196, 170, 136), (92, 74, 62), (206, 204, 200)][int(rng.integers(0, 4))]
    )
    horizon = int(height * rng.uniform(0.3, 0.5))
    page = np.empty((height, width, 3), np.float32)
    page[:horizon] = wall * np.linspace(0.82, 1.02, horizon)[:, None, None]
    page[horizon:] = table * np.linspace(0.86, 1.08, height - horizon)[:, None, None]
    grain = rng.normal(0, 5, (height - horizon, 1, 1)) + rng.normal(0, 2, (1, width, 1))
    page[horizon:] += grain
    return Image.fromarray(np.clip(page, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(2))


def catalogue() -> Iterator[tuple[Thing, list[Image.Image]]]:
    """Every thing with its catalogue images, in order."""
    for thing in things():
        yield thing, [draw_view(thing, view) for view in range(VIEWS)]
        _figure.cache_clear()
