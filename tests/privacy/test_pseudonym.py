from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shopvision.privacy import pseudonym
from shopvision.types import Subject

ANN, COOKIE = Subject(user_id="7"), Subject(visitor="abc")
START = datetime(2026, 11, 3, tzinfo=UTC)  # day 20760 since 1970, and 20760 = 30 * 692


def test_a_key_lasts_its_days_and_its_id_is_the_day_it_began() -> None:
    assert pseudonym.key_id(START) == 20_760
    assert pseudonym.key_id(START + timedelta(days=29, hours=23)) == 20_760
    assert pseudonym.key_id(START + timedelta(days=30)) == 20_790


def test_a_pseudonym_says_its_key_and_tells_neither_user_nor_cookie() -> None:
    name = pseudonym.pseudonym(ANN, START)
    key, _, code = name.partition(".")
    assert (key, len(code)) == ("20760", 22)  # 128 bits in base64
    assert name == pseudonym.pseudonym(ANN, START + timedelta(days=29))
    assert name != pseudonym.pseudonym(ANN, START + timedelta(days=30))
    assert name != pseudonym.pseudonym(Subject(visitor="7"), START)
    assert pseudonym.pseudonym(Subject(), START) == ""


def test_a_signed_in_visitor_writes_under_the_users_name_and_is_read_under_both() -> None:
    both = Subject("7", "abc")
    assert pseudonym.pseudonym(both, START) == pseudonym.pseudonym(ANN, START)
    names = pseudonym.lineage(both, START, START + timedelta(days=30))
    later = START + timedelta(days=30)
    assert names == (
        pseudonym.pseudonym(ANN, later),
        pseudonym.pseudonym(COOKIE, later),
        pseudonym.pseudonym(ANN, START),
        pseudonym.pseudonym(COOKIE, START),
    )


def test_every_name_is_found_whatever_the_rotation_was(settings: Any) -> None:
    old = pseudonym.pseudonym(ANN, datetime.now(UTC) - timedelta(days=80))
    settings.SHOPVISION = {**settings.SHOPVISION, "PSEUDONYM_ROTATION_DAYS": 7}
    names = pseudonym.every(ANN, 120)
    assert old in names
    assert pseudonym.pseudonym(ANN) in names
    assert len(names) == 121 + 7  # the oldest key may have begun a rotation earlier
    assert pseudonym.every(Subject(), 120) == ()


def test_a_secret_key_that_was_replaced_still_finds_its_rows(settings: Any) -> None:
    old = pseudonym.pseudonym(ANN)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert pseudonym.pseudonym(ANN) != old
    assert old in pseudonym.every(ANN, 30)
