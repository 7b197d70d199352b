"""Counters, timers and structured log lines, kept by prometheus_client.

Nothing personal goes in a name or a label. With ``PROMETHEUS_MULTIPROC_DIR`` set, one scrape answers for every
process of the host; without it, for the process that is asked.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
"""Seconds: a re-ranking has 0.015, a photo search about 0.05, a batch of indexing some seconds."""
FIELDS = "shopvision_event"  # where a log record carries an event's fields
OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime"}
log = logging.getLogger("shopvision")
registry = CollectorRegistry()
_lock = threading.Lock()
_counters: dict[str, Counter] = {}
_timers: dict[str, Histogram] = {}
_warned: set[tuple[str, str]] = set()


def count(name: str, by: int = 1) -> None:
    """Add to the counter ``shopvision_<name>_total``."""
    with _lock:
        counter = _counters.get(name)
        if counter is None:
            counter = _counters[name] = Counter(f"shopvision_{name}", _words(name), registry=registry)
    counter.inc(by)


def observe(name: str, milliseconds: float) -> None:
    """Record one duration in the histogram ``shopvision_<name>_seconds``."""
    with _lock:
        timer = _timers.get(name)
        if timer is None:
            timer = _timers[name] = Histogram(
                f"shopvision_{name}_seconds", _words(name), registry=registry, buckets=BUCKETS
            )
    timer.observe(milliseconds / 1000)


def _words(name: str) -> str:
    return name.replace("_", " ")


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Time a block, failures included."""
    start = time.perf_counter()
    try:
        yield
    finally:
        observe(name, (time.perf_counter() - start) * 1000)


def event(name: str, **fields: Any) -> None:
    """Log one structured line: a JSON object with ``event`` first. Fields must hold nothing personal."""
    said = {"event": name, **fields}
    log.info("%s", json.dumps(said, default=str), extra={FIELDS: said})


def warn_once(name: str, of: str, words: str, error: BaseException) -> None:
    """Count ``name``, and log the first one ``of`` each thing in this process: a warning for each would drown all."""
    count(name)
    with _lock:
        known = (name, of) in _warned
        _warned.add((name, of))
    if not known:
        log.warning("%s (told once for %s)", words, of, exc_info=error)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, tracebacks too: for ``LOGGING``, as ``docs/operations.md`` has it."""

    def format(self, record: logging.LogRecord) -> str:
        """``time``, ``level``, ``logger``, and ``event`` with its fields, or ``message`` with ``extra``'s."""
        extra = {name: value for name, value in vars(record).items() if name not in OF_EVERY_RECORD}
        said = extra.pop(FIELDS, None) or {"message": record.getMessage(), **extra}
        if record.exc_info:
            said = {**said, "traceback": self.formatException(record.exc_info)}
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {**said, "time": at, "level": record.levelname, "logger": record.name}
        return json.dumps(line, default=str)


def quantile(values: list[float], share: float) -> float:
    """The nearest-rank quantile of ``values``; 0.0 when there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def snapshot() -> dict[str, Any]:
    """This process's counters, and each timer's count and total ms."""
    with _lock:
        counters, timers = dict(_counters), dict(_timers)
    return {
        "counters": {name: int(_sample(one, "_total")) for name, one in counters.items()},
        "timers": {
            name: {"count": int(_sample(one, "_count")), "total": 1000 * _sample(one, "_sum")}
            for name, one in timers.items()
        },
    }


def _sample(metric: Counter | Histogram, suffix: str) -> float:
    """The value of a metric's one sample whose name ends so."""
    (family,) = metric.collect()
    return next(one.value for one in family.samples if one.name.endswith(suffix))


def exposition(others: Iterable[Collector] = ()) -> bytes:
    """Every metric in Prometheus' text format (``CONTENT_TYPE``).

    Args:
        others: collectors of numbers that no process keeps, asked once.
    """
    answered = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(answered)  # type: ignore[no-untyped-call]
    else:
        answered.register(registry)
    for one in others:
        answered.register(one)
    return generate_latest(answered)


def reset() -> None:
    """Forget everything of this process (tests)."""
    with _lock:
        for metric in (*_counters.values(), *_timers.values()):
            registry.unregister(metric)
        _counters.clear()
        _timers.clear()
        _warned.clear()
