from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from shopvision import metrics
from shopvision.ranking import deadline
from shopvision.ranking.deadline import Budget, OverBudget


def test_time_that_is_left_goes_down_and_then_nothing_goes_on() -> None:
    clock = Budget(10_000)
    assert 9 < clock.left <= 10
    clock.check("looking")
    clock.done()
    assert metrics.snapshot()["timers"]["rank"]["count"] == 1
    with pytest.raises(OverBudget, match="scoring took until"):
        Budget(0.0001).check("scoring")


def test_after_five_overruns_in_a_row_there_is_a_pause(monkeypatch: Any) -> None:
    for number in range(deadline.OVERRUNS):
        if number == 2:
            Budget(10_000).done()  # one that was kept starts the count anew
        with pytest.raises(OverBudget):
            Budget(0.0001).check("scoring")
    for _ in range(2):
        with pytest.raises(OverBudget):
            Budget(0.0001).check("scoring")
    with pytest.raises(OverBudget, match="pausing"):
        Budget(10_000)
    monkeypatch.setattr(
        deadline.time, "perf_counter", lambda now=time.perf_counter: now() + deadline.PAUSE_SECONDS
    )
    Budget(10_000).done()


def test_work_of_somebody_elses_is_waited_for_so_long_and_no_more_is_begun() -> None:
    go_on = threading.Event()
    assert Budget(10_000).within(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        Budget(10_000).within(lambda: 1 // 0)
    for _ in range(deadline.MOST_WORKING):
        with pytest.raises(OverBudget, match="in time"):
            Budget(20).within(lambda: go_on.wait(10))
    with pytest.raises(OverBudget, match="earlier"):
        Budget(10_000).within(lambda: 7)
    go_on.set()
    latest = time.monotonic() + 5
    while deadline._working._count and time.monotonic() < latest:
        time.sleep(0.01)
    assert Budget(10_000).within(lambda: 7) == 7
