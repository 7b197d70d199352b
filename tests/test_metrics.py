"""Log lines as operations.md says to set them up, and what is said once."""

from __future__ import annotations

import ast
import io
import json
import logging
import logging.config
import re
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
