"""The storefront and the admin's pages speak Simplified Chinese, and the compiled catalogue is the one we read."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.apps import apps
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation.template import templatize

from shopvision import jobs
from shopvision.images.colour import NAMES

ROOT = Path(__file__).resolve().parents[1]
PLACES = {"shopvision": "shopvision/templates/shopvision", "demo_shop": "templates/demo_shop"}
TAG = re.compile(r"""{%\s*translate\s+(?:"([^"]+)"|'([^']+)')(?:\s+context\s+["']([^"']+)["'])?""")
CALL = re.compile(r"""\b(?:gettext|ngettext|_)\(u?((?:'(?:[^'\\]|\\.)*')|(?:"(?:[^"\\]|\\.)*"))""")
GETTEXTS = {"_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy", "word"}
DJANGOS_OWN = {"Select this object for an action - {}"}


def compiled(app: str) -> dict[str, str]:
    with (ROOT / app / "locale/zh_Hans/LC_MESSAGES/django.mo").open("rb") as file:
        found = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {k if isinstance(k, str) else k[0]: v for k, v in found.items() if k}


def source(app: str) -> dict[str, str]:
    text = (ROOT / app / "locale/zh_Hans/LC_MESSAGES/django.po").read_text()
    entries = re.findall(
        r'(?:msgctxt "(.*)"\n)?msgid "(.*)"\n(?:msgid_plural ".*"\n)?msgstr(?:\[0\])? "(.*)"', text
    )
    return {in_context(k, context): v for context, k, v in entries if k}


def in_context(words: str, context: str) -> str:
    """As a compiled catalogue has it."""
    return f"{context}\4{words}" if context else words


def tagged(app: str) -> set[str]:
    """Every string of an app's pages, with its context."""
    pages = (ROOT / PLACES[app]).glob("*.html")
    return {in_context(a or b, context) for path in pages for a, b, context in TAG.findall(path.read_text())}


def spoken() -> set[str]:
    """Every string that a visitor may read: of the pages, the reasons and the strips."""
    names = ("ranking/reasons.py", "ranking/recommendations.py", "listings.py")
    texts = [(ROOT / "shopvision" / name).read_text() for name in names]
    return tagged("shopvision") | {words for text in texts for words in re.findall(r'\b_\("([^"]+)"\)', text)}


@pytest.mark.parametrize("app", PLACES)
def test_the_compiled_catalogue_agrees_with_its_source(app: str) -> None:
    assert compiled(app) == source(app)


@pytest.mark.parametrize("app", PLACES)
def test_every_string_of_the_pages_is_translated(app: str) -> None:
    used = tagged(app)
    assert used
    assert used - compiled(app).keys() == set()


@pytest.mark.parametrize("language", ["sv", "de"])
def test_a_page_speaks_one_language_and_borrows_no_word_of_djangos(language: str) -> None:
    with translation.override(language):
        assert {words for words in spoken() if translation.gettext(words) != words} == set()
        field = {"choices": [{"field": "category", "words": "Kind", "options": []}]}
        shown = render_to_string("shopvision/button.html") + render_to_string("shopvision/narrow.html", field)
        own = [translation.pgettext("photo search", words) for words in ("Search", "Close", "All")]
        borrowed = {translation.gettext(words) for words in ("Search", "Close", "All")}
    assert own == ["Search", "Close", "All"]
    assert not borrowed & {*re.findall(r'data-t-\w+="([^"]*)"', shown), *re.findall(r">([^<>]+)<", shown)}
    with translation.override("zh-hans"):
        assert 'data-t-close="关闭"' in render_to_string("shopvision/button.html")


def test_every_string_of_the_admins_pages_is_translated() -> None:
    pages = (ROOT / "shopvision/templates/admin/shopvision").glob("*.html")
    used = {ast.literal_eval(one) for page in pages for one in CALL.findall(templatize(page.read_text()))}
    assert len(used) > 140
    assert used - compiled("shopvision").keys() == set()


def test_every_string_of_the_admins_code_is_translated() -> None:
    used = {
        node.args[0].value
        for path in (ROOT / "shopvision/admin").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in GETTEXTS
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(used) > 140
    assert used - compiled("shopvision").keys() == DJANGOS_OWN


def test_every_state_and_every_kind_of_job_is_translated() -> None:
    fields = [
        field for model in apps.get_app_config("shopvision").get_models() for field in model._meta.fields
    ]
    with translation.override(None):
        used = {str(label) for field in fields for _, label in field.flatchoices}
    used |= {one.words for one in jobs.KINDS.values()} | {name.replace("_", " ") for name in jobs.KINDS}
    assert len(used) > 50
    assert used - compiled("shopvision").keys() == set()


def test_every_reason_of_an_order_and_every_title_of_a_strip_is_translated() -> None:
    used = spoken() - tagged("shopvision")
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
