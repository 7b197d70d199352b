"""The write path, search and tests made for it, once more on a real PostgreSQL server."""

from __future__ import annotations

import pytest

from tests.again import passed_again
from tests.postgres import server

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
SUITES = (
    "tests/postgres/concurrency.py",
    "tests/catalogue",
    "tests/search",
    "tests/admin",
    "tests/jobs/test_runner.py",
    "tests/jobs/test_periodic.py",
    "tests/jobs/test_registration.py",
    "tests/events",
    "tests/privacy",
    "tests/management/test_commands.py",
    "tests/management/test_privacy_commands.py",
    "tests/classification",
    "tests/management/test_classify_commands.py",
    "tests/ranking/test_ranked_sequence.py",
    "tests/ranking/test_api.py",
    "tests/ranking/test_placements.py",
)
LONGEST_SECONDS = 1500  # 260 on an idle machine; another worker's tests share its two cores
FEWEST = 360  # tests that must have run: an empty run proves nothing


def test_the_database_suites_pass_on_postgresql() -> None:
    if reason := server.why_not():
        pytest.skip(reason)
    with server.running() as socket:
        passed = passed_again(
            "-m",
            "not s3 and not torch",
            *SUITES,
            most_seconds=LONGEST_SECONDS,
            SHOPVISION_TEST_POSTGRES=str(socket),
        )
    assert passed >= FEWEST
