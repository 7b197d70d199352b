"""A real Chromium, headless, on a shop with drawn products; skipped by name where there is none."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,860",
)


def start(folder: Path, *, javascript: bool = True) -> Any:
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not javascript:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_page_load_timeout(30)
    return driver


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        pytest.skip("needs Chromium and its driver (Debian: chromium, chromium-driver)")
    driver = start(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def shop(
    live_server: Any, settings: Any, transactional_db: None, indexed_shop: list[Any]
) -> tuple[str, list[Any]]:
    """Where the shop answers, with the strictest content policy, and its products."""
    return live_server.url, indexed_shop


@pytest.fixture(autouse=True)
def _policy(settings: Any) -> None:
    settings.MIDDLEWARE = ["demo_shop.middleware.ContentSecurityPolicy", *settings.MIDDLEWARE]


@pytest.fixture
def artefacts() -> Path:
    """Screenshots go here; the folder is not committed."""
    folder = ROOT / "artefacts"
    folder.mkdir(exist_ok=True)
    return folder
