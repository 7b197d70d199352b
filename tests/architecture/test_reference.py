"""The generated pages of the reference say what the sources say."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from shopvision.catalogue.adapter import NAMING, Catalogue

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings.md", "adapter.md"])
def test_a_generated_page_is_up_to_date(generate: ModuleType, name: str) -> None:
    """Changed on purpose? ``python docs/generate.py`` writes it anew."""
    assert (DOCS / "reference" / name).read_text() == generate.PAGES[name]()


def test_the_adapters_page_names_all_it_has_and_nothing_else(generate: ModuleType) -> None:
    page = (DOCS / "reference/adapter.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)", page, re.MULTILINE))
    assert listed == {name for name in vars(Catalogue) if not name.startswith("_")}
    assert set(NAMING) < listed
    assert set(generate.ATTRIBUTES) == set(Catalogue.__annotations__)
