"""Counters and timers, one process or many; log lines as operations.md says to set them up."""

from __future__ import annotations

import ast
import io
import json
import logging
import logging.config
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shopvision import metrics
from shopvision.catalogue.adapter import catalogue

OPERATIONS = Path(__file__).resolve().parents[1] / "docs/operations.md"


@pytest.fixture
def lines() -> Iterator[Any]:
    """What the LOGGING of the page writes, parsed line by line."""
    block = re.search(r"```python\nLOGGING = (.+?)\n```", OPERATIONS.read_text(), re.DOTALL)
    assert block
    log = metrics.log
    before = (list(log.handlers), log.level, log.propagate)
    logging.config.dictConfig(ast.literal_eval(block[1]))
    (handler,) = log.handlers
    assert isinstance(handler, logging.StreamHandler)
    out = io.StringIO()
    handler.setStream(out)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    log.handlers[:], log.level, log.propagate = before


def test_every_line_is_one_json_object(lines: Any) -> None:
    metrics.event("release_activated", release="lite0@7", level="of the event")
    metrics.log.warning("two\nlines of %s", "words")
    logging.getLogger("shopvision.classifiers.trainer").warning("checkpoint", extra={"reason": "torn"})
    try:
        raise LookupError("no route")
    except LookupError:
        metrics.log.exception("it failed")
    event, plain, child, failed = lines()
    assert (event["event"], event["release"], event["level"]) == ("release_activated", "lite0@7", "INFO")
    assert (plain["message"], plain["level"], plain["logger"]) == (
        "two\nlines of words",
        "WARNING",
        "shopvision",
    )
    assert (child["logger"], child["reason"]) == ("shopvision.classifiers.trainer", "torn")
    assert failed["traceback"].endswith("LookupError: no route")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", plain["time"])


def test_a_missing_address_is_logged_once_for_each_catalogue(lines: Any) -> None:
    class Broken:
        def __init__(self, pk: int) -> None:
            self.pk = pk

        def get_absolute_url(self) -> str:
            raise LookupError("no route")

    metrics.reset()
    for source in ("demo_shop.product", "testshop.article"):
        assert [catalogue(source).url(Broken(pk)) for pk in range(5)] == [""] * 5
    assert [line["message"] for line in lines()] == [
        f"{source}:0 has no address (told once for {source})"
        for source in ("demo_shop.product", "testshop.article")
    ]
    assert metrics.snapshot()["counters"]["address_missing"] == 10


def test_a_counter_and_a_timer_are_kept() -> None:
    """20 ms and 30 ms: both lie above 15 ms and at most one below 25."""
    metrics.reset()
    metrics.count("search_queue_full", 2)
    metrics.observe("rank", 20)
    metrics.observe("rank", 30)
    assert metrics.snapshot() == {
        "counters": {"search_queue_full": 2},
        "timers": {"rank": {"count": 2, "total": pytest.approx(50)}},
    }
    lines = metrics.exposition().decode().splitlines()
    for line in (
        'shopvision_rank_seconds_bucket{le="0.015"} 0.0',
        'shopvision_rank_seconds_bucket{le="0.025"} 1.0',
        'shopvision_rank_seconds_bucket{le="0.05"} 2.0',
        "shopvision_rank_seconds_sum 0.05",
    ):
        assert line in lines
    metrics.reset()
    assert metrics.snapshot() == {"counters": {}, "timers": {}}


def test_one_scrape_answers_for_every_process_of_a_host(tmp_path: Path) -> None:
    """Two processes count 1 and 2 and end; a third that has counted nothing tells 3."""

    def process(script: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", f"from shopvision import metrics; {script}"],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            cwd=OPERATIONS.parents[1],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    process("metrics.count('events_dropped', 1); metrics.observe('rank', 10)")
    process("metrics.count('events_dropped', 2); metrics.observe('rank', 10)")
    told = process("print(metrics.exposition().decode())").splitlines()
    assert "shopvision_events_dropped_total 3.0" in told
    assert "shopvision_rank_seconds_count 2.0" in told
