"""A running server, and requests made up from its own schema: right ones, and wrong in every way."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.mark.slow
def test_schemathesis_finds_nothing(
    live_server: Any, settings: Any, indexed_shop: list[Any], tmp_path: Path
) -> None:
    free = {"SEARCH_RATE": "1000000/s", "BROWSE_RATE": "1000000/s"}
    settings.SHOPVISION = {**settings.SHOPVISION, **free}
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    address = live_server.url + "/vision/api/v1/schema/"
    run = subprocess.run([*command, address], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2000:]
    assert "Tested: 13" in run.stdout
