"""The storefront and the admin's pages speak Simplified Chinese, and the compiled catalogue is the one we read."""

from __future__ import annotations

import gettext
import re
from pathlib import Path

import pytest

from shopvision.images.colour import NAMES

ROOT = Path(__file__).resolve().parents[1]
PLACES = {"shopvision": "shopvision/templates/shopvision", "demo_shop": "templates/demo_shop"}
TAG = re.compile(r"""{%\s*translate\s+(?:"([^"]+)"|'([^']+)')""")


def compiled(app: str) -> dict[str, str]:
    with (ROOT / app / "locale/zh_Hans/LC_MESSAGES/django.mo").open("rb") as file:
        found = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {k if isinstance(k, str) else k[0]: v for k, v in found.items() if k}


def source(app: str) -> dict[str, str]:
    text = (ROOT / app / "locale/zh_Hans/LC_MESSAGES/django.po").read_text()
    entries = re.findall(r'msgid "(.*)"\n(?:msgid_plural ".*"\n)?msgstr(?:\[0\])? "(.*)"', text)
    return {k: v for k, v in entries if k}


@pytest.mark.parametrize("app", PLACES)
def test_the_compiled_catalogue_agrees_with_its_source(app: str) -> None:
    assert compiled(app) == source(app)


@pytest.mark.parametrize("app", PLACES)
def test_every_string_of_the_pages_is_translated(app: str) -> None:
    used = {a or b for path in (ROOT / PLACES[app]).glob("*.html") for a, b in TAG.findall(path.read_text())}
    assert used
    assert used - compiled(app).keys() == set()


def test_every_string_of_the_admins_pages_is_translated() -> None:
    pages = (ROOT / "shopvision/templates/admin/shopvision").glob("*.html")
    used = {(a or b).replace("%", "%%") for path in pages for a, b in TAG.findall(path.read_text())}
    assert len(used) > 100
    assert used - compiled("shopvision").keys() == set()


def test_every_reason_of_an_order_and_every_title_of_a_strip_is_translated() -> None:
    texts = [
        (ROOT / "shopvision" / name).read_text()
        for name in ("recommend/why.py", "placements.py", "listings.py")
    ]
    used = {words for text in texts for words in re.findall(r'\b_\("([^"]+)"\)', text)}
    assert len(used) >= 16
    assert used - compiled("shopvision").keys() == set()


def test_every_colour_and_reason_is_translated() -> None:
    wanted = {
        *NAMES,
        "same shape",
        "same pattern",
        "similar colours",
        "same colour: %(name)s",
        "Looks similar",
    }
    assert wanted - compiled("shopvision").keys() == set()
