"""A running server, and requests made up from its own schema: right ones, and wrong in every way."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.classified import classified_shop, person, suggestions

CONFIG = Path(__file__).with_name("schemathesis.toml")


FREE = {"RATES": {"search": "1000000/s", "browse": "1000000/s"}}
TOKEN = "a" * 32


def schemathesis(address: str, *options: str, folder: Path) -> str:
    """What it says of the server; the test fails if it found anything."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run", *options]
    command.append(address + "/vision/api/v1/schema/")
    run = subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=folder)
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2000:]
    return run.stdout


@pytest.mark.slow
def test_schemathesis_finds_nothing(
    live_server: Any, settings: Any, indexed_shop: list[Any], tmp_path: Path
) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, **FREE}
    assert "Tested: 27" in schemathesis(live_server.url, folder=tmp_path)


@pytest.mark.slow
def test_schemathesis_finds_nothing_signed_in(
    live_server: Any, settings: Any, live_release: Any, tmp_path: Path
) -> None:
    """As somebody who may classify, review and look at jobs.

    The session goes with every request, also where a case leaves the cookie out on purpose, so that wrong
    requests are not counted on to be refused; test_work.py asks them one by one.
    """
    settings.SHOPVISION = {**settings.SHOPVISION, **FREE}
    classified_shop()
    suggestions()
    client = Client()
    client.force_login(person("ann", "classify_products", "review_predictions", "view_job"))
    cookies = f"sessionid={client.cookies['sessionid'].value}; csrftoken={TOKEN}"
    said = schemathesis(
        live_server.url,
        "--header",
        f"Cookie: {cookies}",
        "--header",
        f"X-CSRFToken: {TOKEN}",
        "--include-path-regex",
        "/(classify|jobs|predictions|duplicates)/",
        "--exclude-checks",
        "negative_data_rejection",
        "--max-examples",
        "25",
        folder=tmp_path,
    )
    assert "Tested: 12" in said
