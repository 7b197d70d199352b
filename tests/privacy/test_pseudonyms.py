from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shopvision.privacy import pseudonyms
from shopvision.types import Subject

ANN, COOKIE = Subject(user_id="7"), Subject(visitor="abc")
START = datetime(2026, 11, 3, tzinfo=UTC)  # day 20760 since 1970, and 20760 = 30 * 692


def test_a_key_lasts_its_days_and_its_id_is_the_day_it_began() -> None:
    assert pseudonyms.key_id(START) == 20_760
    assert pseudonyms.key_id(START + timedelta(days=29, hours=23)) == 20_760
    assert pseudonyms.key_id(START + timedelta(days=30)) == 20_790


def test_a_pseudonym_says_its_key_and_tells_neither_user_nor_cookie() -> None:
    name = pseudonyms.pseudonym(ANN, START)
    key, _, code = name.partition(".")
    assert (key, len(code)) == ("20760", 22)  # 128 bits in base64
    assert name == pseudonyms.pseudonym(ANN, START + timedelta(days=29))
    assert name != pseudonyms.pseudonym(ANN, START + timedelta(days=30))
    assert name != pseudonyms.pseudonym(Subject(visitor="7"), START)
    assert pseudonyms.pseudonym(Subject(), START) == ""


def test_a_signed_in_visitor_writes_under_the_users_name_and_is_read_under_both() -> None:
    both = Subject("7", "abc")
    assert pseudonyms.pseudonym(both, START) == pseudonyms.pseudonym(ANN, START)
    names = pseudonyms.lineage(both, START, START + timedelta(days=30))
    later = START + timedelta(days=30)
    assert names == (
        pseudonyms.pseudonym(ANN, later),
        pseudonyms.pseudonym(COOKIE, later),
        pseudonyms.pseudonym(ANN, START),
        pseudonyms.pseudonym(COOKIE, START),
    )


def test_every_name_is_found_whatever_the_rotation_was(settings: Any) -> None:
    old = pseudonyms.pseudonym(ANN, datetime.now(UTC) - timedelta(days=80))
    settings.SHOPVISION = {**settings.SHOPVISION, "PSEUDONYM_ROTATION_DAYS": 7}
    names = pseudonyms.every(ANN, 120)
    assert old in names
    assert pseudonyms.pseudonym(ANN) in names
    assert len(names) == 121 + 7  # the oldest key may have begun a rotation earlier
    assert pseudonyms.every(Subject(), 120) == ()


def test_a_secret_key_that_was_replaced_still_finds_its_rows(settings: Any) -> None:
    old = pseudonyms.pseudonym(ANN)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert pseudonyms.pseudonym(ANN) != old
    assert old in pseudonyms.every(ANN, 30)
