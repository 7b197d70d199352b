from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shopvision import conf
from shopvision.exceptions import Misconfigured


@pytest.mark.parametrize("name", list(conf.SETTINGS))
def test_every_default_keeps_its_own_rule(name: str) -> None:
    setting = conf.SETTINGS[name]
    assert setting.valid(setting.value())
    assert setting.reason.endswith(".")
    assert setting.rule


def test_there_are_at_most_thirty_keys() -> None:
    assert len(conf.SETTINGS) <= 30


def test_an_unknown_key_names_the_nearest(settings: Any) -> None:
    settings.SHOPVISION = {"BATCH_SISE": 8}
    ((number, words),) = conf.problems()
    assert number == "shopvision.E001"
    assert "did you mean 'BATCH_SIZE'" in words


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("BATCH_SIZE", 0),
        ("BATCH_SIZE", True),
        ("ENGINE", "threads"),
        ("IMAGE_FORMATS", ("GIF",)),
        ("POLL_SECONDS", "1"),
    ],
)
def test_a_value_that_breaks_its_rule_is_an_error_and_is_never_used(
    settings: Any, key: str, value: Any
) -> None:
    settings.SHOPVISION = {key: value}
    assert [number for number, _ in conf.problems()] == ["shopvision.E002"]
    with pytest.raises(Misconfigured, match=key):
        getattr(conf, key)


def test_a_shops_value_wins(settings: Any, tmp_path: Path) -> None:
    settings.SHOPVISION = {"DATA_DIR": tmp_path}
    assert tmp_path == conf.DATA_DIR
    assert conf.problems() == []
