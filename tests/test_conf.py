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


@pytest.mark.parametrize("name", ["RATES", "RANKING"])
def test_every_default_within_a_dict_keeps_its_own_rule(name: str) -> None:
    for one in conf.SETTINGS[name].keys.values():
        assert one.valid(one.value())
        assert one.reason.endswith(".")


def test_keys_of_a_dict_that_are_left_out_keep_their_default(settings: Any) -> None:
    settings.SHOPVISION = {"RANKING": {"window": 50}, "RATES": {"search": "5/min"}}
    assert conf.problems() == []
    assert (conf.RANKING["window"], conf.RANKING["budget_ms"]) == (50, 15.0)
    assert conf.RATES == {"search": "5/min", "browse": "600/min"}


def test_an_unknown_key_of_a_dict_names_the_nearest(settings: Any) -> None:
    settings.SHOPVISION = {"RANKING": {"budget": 20, "windw": 100}}
    assert [(number, words.partition(" is ")[0]) for number, words in conf.problems()] == [
        ("shopvision.E001", "SHOPVISION['RANKING']['budget']"),
        ("shopvision.E001", "SHOPVISION['RANKING']['windw']"),
    ]
    assert "did you mean 'window'" in conf.problems()[1][1]
    with pytest.raises(Misconfigured, match="did you mean 'budget_ms'"):
        _ = conf.RANKING


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("RANKING", "window", 0),
        ("RANKING", "window", 100_000),
        ("RANKING", "explore", 1.5),
        ("RANKING", "sort_parameters", "sort"),
        ("RATES", "search", "often"),
    ],
)
def test_a_value_of_a_dicts_key_that_breaks_its_rule_is_an_error(
    settings: Any, key: str, name: str, value: Any
) -> None:
    settings.SHOPVISION = {key: {name: value}}
    ((number, words),) = conf.problems()
    assert number == "shopvision.E002"
    assert f"SHOPVISION[{key!r}][{name!r}]" in words


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
