"""A value that a thread reads now and then."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from shopvision import metrics
from shopvision.threads import Glance


@pytest.fixture
def in_threads(settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "ENGINE": "thread"}


def glance(read: Callable[[], int], seconds: float = 3600.0) -> Glance[int]:
    return Glance("a test's", 0, read, lambda _: seconds, ("glance_failed", "it could not be read"))


def test_in_tests_it_is_read_at_once_and_not_again_until_its_time() -> None:
    numbers = iter((1, 2))
    news = glance(lambda: next(numbers))
    assert [news.look(), news.look()] == [1, 1]
    news.forget()
    assert news.look() == 2


def test_what_was_known_goes_on_serving_when_reading_fails() -> None:
    answers = iter((lambda: 1, lambda: 1 // 0))
    news = glance(lambda: next(answers)(), seconds=-1.0)
    before = metrics.snapshot()["counters"].get("glance_failed", 0)
    assert [news.look(), news.look()] == [1, 1]
    assert metrics.snapshot()["counters"]["glance_failed"] == before + 1


@pytest.mark.usefixtures("in_threads")
def test_a_look_waits_for_nothing_and_one_thread_reads() -> None:
    go_on, read = threading.Event(), []

    def slow() -> int:
        read.append(1)
        go_on.wait(10)
        return 7

    news = glance(slow)
    assert [news.look(), news.look()] == [0, 0]
    go_on.set()
    for _ in range(200):
        if news.look() == 7:
            break
        threading.Event().wait(0.02)
    assert (news.look(), read) == (7, [1])


@pytest.mark.usefixtures("in_threads")
def test_a_child_forked_during_a_reading_reads_for_itself() -> None:
    """Without that it would wait for ever for a thread that only its parent has."""
    begun, go_on = threading.Event(), threading.Event()
    parent = os.getpid()

    def read() -> int:
        if os.getpid() == parent:
            begun.set()
            go_on.wait(10)
        return os.getpid()

    news = glance(read)
    news.look()
    assert begun.wait(10)
    child = os.fork()
    if child == 0:
        for _ in range(200):
            if news.look() == os.getpid():
                os._exit(0)
            threading.Event().wait(0.02)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    go_on.set()
