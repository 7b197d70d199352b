"""Some of the tests once more, in a process of their own: on another database, under other settings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def passed_again(*arguments: str, most_seconds: float, **environment: str) -> int:
    """Run pytest with these arguments; how many tests passed.

    Args:
        environment: variables on top of this process's own.

    Raises:
        AssertionError: a test failed, with the end of what was printed.
    """
    everything = {**os.environ, **environment}
    everything.pop("SHOPVISION_TEST_DB", None)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=everything,
        capture_output=True,
        text=True,
        timeout=most_seconds,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    return int(passed[1])
