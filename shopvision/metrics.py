"""Timers, counters, structured logs; Prometheus text if asked.

Per process and in memory: a scrape of every process adds up. Nothing personal goes in a name or a label.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

WINDOW = 1024  # observations kept per timer: enough for a p95 within about 1.4 points
FIELDS = "shopvision_event"  # where a log record carries an event's fields
OF_EVERY_RECORD = {*vars(logging.makeLogRecord({})), "message", "asctime"}
log = logging.getLogger("shopvision")
_lock = threading.Lock()
_counters: dict[str, int] = defaultdict(int)
_timers: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
_warned: set[tuple[str, str]] = set()
_totals: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))


def count(name: str, by: int = 1) -> None:
    """Add to a counter."""
    with _lock:
        _counters[name] += by


def observe(name: str, milliseconds: float) -> None:
    """Record one duration."""
    with _lock:
        _timers[name].append(milliseconds)
        number, total = _totals[name]
        _totals[name] = (number + 1, total + milliseconds)


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
    """Counters and timers (count and total ms; p50, p95 in ms over the last ``WINDOW``) of this process."""
    with _lock:
        counters = dict(_counters)
        timers = {name: list(values) for name, values in _timers.items()}
        totals = dict(_totals)
    return {
        "counters": counters,
        "timers": {
            name: {
                "count": totals[name][0],
                "total": totals[name][1],
                "p50": quantile(v, 0.5),
                "p95": quantile(v, 0.95),
            }
            for name, v in timers.items()
        },
    }


def prometheus() -> str:
    """The same in Prometheus' text format, version 0.0.4."""
    lines: list[str] = []
    with _lock:
        for name, number in sorted(_counters.items()):
            lines += [f"# TYPE shopvision_{name}_total counter", f"shopvision_{name}_total {number}"]
        for name, (number, total) in sorted(_totals.items()):
            lines += [
                f"# TYPE shopvision_{name}_seconds summary",
                f"shopvision_{name}_seconds_count {number}",
                f"shopvision_{name}_seconds_sum {total / 1000:.6f}",
            ]
    return "\n".join(lines) + "\n"


def reset() -> None:
    """Forget everything (tests)."""
    with _lock:
        _counters.clear()
        _timers.clear()
        _totals.clear()
        _warned.clear()
