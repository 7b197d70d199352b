from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from demo_shop.models import Product
from shopvision import checks
from shopvision.catalogue import adapter


def ids(found: list[Any]) -> list[str]:
    assert all(message.hint for message in found)
    return [message.id for message in found]


def test_wrong_settings_are_errors(settings: Any) -> None:
    settings.SHOPVISION = {"ENGIN": "thread", "BATCH_SIZE": -1}
    assert ids(checks.check_settings()) == ["shopvision.E001", "shopvision.E002"]
    settings.SHOPVISION = []
    assert ids(checks.check_settings()) == ["shopvision.E002"]


def test_a_data_dir_below_a_file_cannot_be_made(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.SHOPVISION = {"DATA_DIR": tmp_path / "file" / "data"}
    assert ids(checks.check_data_dir()) == ["shopvision.E003"]
    settings.SHOPVISION = {"DATA_DIR": tmp_path / "new" / "data"}
    assert ids(checks.check_data_dir()) == []


def test_a_shop_without_an_adapter_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_registry", {})
    assert ids(checks.check_adapters()) == ["shopvision.W001"]


def test_an_adapter_with_a_wrong_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(adapter.Catalogue):
        title = "titel"

    monkeypatch.setattr(adapter, "_registry", {"demo_shop.product": Wrong(Product)})
    assert ids(checks.check_adapters()) == ["shopvision.E004"]


def test_a_missing_extra_is_named(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SHOPVISION = {"ENCODER": "open_clip:RN50/openai"}
    monkeypatch.setattr(checks.importlib.util, "find_spec", lambda name: None)
    assert ids(checks.check_encoder()) == ["shopvision.E005"]


def test_celery_without_a_broker_is_an_error(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL", raising=False)
    settings.SHOPVISION = {"ENGINE": "celery"}
    settings.CELERY_BROKER_URL = ""
    assert ids(checks.check_celery()) == ["shopvision.E006"]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(5, ["shopvision.W002"]), (900, []), (3600, ["shopvision.W002"])]
)
def test_a_visibility_timeout_out_of_bounds_is_warned_of(
    settings: Any, seconds: int, expected: list[str]
) -> None:
    settings.SHOPVISION = {"ENGINE": "celery"}
    settings.CELERY_BROKER_URL = "redis://localhost/0"
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": seconds}
    assert ids(checks.check_celery()) == expected


def test_sqlite_in_deferred_mode_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(checks.check_sqlite()) == []
    monkeypatch.setitem(checks.connections["default"].settings_dict, "OPTIONS", {})
    assert ids(checks.check_sqlite()) == ["shopvision.W003"]


def test_a_format_this_pillow_lacks_is_warned_of(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SHOPVISION = {"IMAGE_FORMATS": ("JPEG", "AVIF")}
    monkeypatch.setattr(checks.features, "check", lambda name: False)
    assert ids(checks.check_formats()) == ["shopvision.W004"]


def test_a_cache_or_a_ranker_that_is_not_there_is_an_error(settings: Any) -> None:
    settings.SHOPVISION = {"RANKING": {"cache": "redis", "ranker": "shop.no_such.Ranker"}}
    assert ids(checks.check_ranking()) == ["shopvision.E009", "shopvision.E010"]
    settings.SHOPVISION = {}
    assert ids(checks.check_ranking()) == []


def test_tables_of_ours_in_another_database_than_the_users_are_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert ids(checks.check_databases()) == []
    monkeypatch.setattr(
        checks.router,
        "db_for_write",
        lambda model: {"shopvision": "vision"}.get(model._meta.app_label, "default"),
    )
    assert ids(checks.check_databases()) == ["shopvision.E011"]
