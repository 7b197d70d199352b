"""The worker command and the worker thread, in processes of their own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.processes import Shop, everything_once, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path, engine="thread")
    yield shop
    shop.close()


def test_worker_command_indexes_what_is_saved_and_ends_in_good_order(shop: Shop) -> None:
    worker = shop.start("django", "shopvision_worker")
    shop.ask("save", 20)
    wait_for(lambda: shop.indexed() == 20, "the worker")
    assert shop.count("SELECT count(*) FROM shopvision_worker WHERE kind = 'command'") == 1
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0
    assert shop.count("SELECT count(*) FROM shopvision_worker") == 0
    everything_once(shop, 20)


def test_worker_command_killed_at_work_loses_none_and_doubles_none(shop: Shop) -> None:
    worker = shop.start("django", "shopvision_worker")
    shop.ask("save", 150)
    wait_for(lambda: shop.indexed() >= 16, "the first photos")
    shop.kill(worker)
    assert shop.waiting() > 0
    shop.start("django", "shopvision_worker")
    wait_for(lambda: shop.waiting() == 0, "the second worker")
    everything_once(shop, 150)


def test_a_photo_that_kills_its_worker_is_set_aside_and_its_neighbours_are_indexed(shop: Shop) -> None:
    shop.ask("save", 8)
    shop.ask("killer")
    shop.ask("save", 8)
    deaths = 0
    while shop.waiting():  # as a supervisor does
        worker = shop.start("django", "shopvision_worker")
        wait_for(lambda w=worker: w.poll() is not None or not shop.waiting(), "it to die or to finish")
        deaths += worker.poll() == -signal.SIGKILL
    assert deaths == 3
    found = shop.ask("compare")
    assert (found["entries"], found["poisoned"], found["index"]) == (16, 1, 16)


def test_an_index_job_killed_half_way_is_finished_by_another_worker(shop: Shop) -> None:
    shop.ask("bulk", 300)
    job = shop.start("django", "shopvision_index", "--json")
    wait_for(lambda: shop.indexed() >= 32, "the first photos")
    shop.kill(job)
    assert shop.indexed() < 300
    shop.start("django", "shopvision_worker")
    wait_for(lambda: shop.count("SELECT count(*) FROM shopvision_job WHERE state = 'done'") == 1, "the job")
    everything_once(shop, 300)


def test_a_classify_job_killed_half_way_is_finished_without_loss_or_doubles(shop: Shop) -> None:
    """Killed with pages written and others not, and labels applied to some products of a page."""
    shop.ask("labels", 600)
    shop.ask("classify", 1)
    applied = "SELECT count(*) FROM shopvision_decision WHERE verb = 'apply'"
    worker = shop.start("django", "shopvision_worker")
    wait_for(lambda: shop.count(applied) >= 20, "the first applied labels")
    shop.kill(worker)
    before = shop.count(applied)
    assert (
        shop.count("SELECT count(*) FROM shopvision_job WHERE kind = 'classify' AND state = 'running'") == 1
    )
    shop.start("django", "shopvision_worker")
    done = "SELECT count(*) FROM shopvision_job WHERE kind = 'classify' AND state = 'done'"
    wait_for(lambda: shop.count(done) == 1, "the second worker")
    assert shop.count("SELECT count(*) FROM shopvision_prediction") == 600
    assert shop.count("SELECT count(DISTINCT entry_id) FROM shopvision_prediction") == 600
    after = shop.count(applied)
    assert after > before
    assert (
        shop.count("SELECT count(DISTINCT object_id) FROM shopvision_decision WHERE verb = 'apply'") == after
    )
    assert shop.count("SELECT count(*) FROM shopvision_prediction WHERE state = 'applied'") == after
    labelled = shop.count("SELECT count(*) FROM demo_shop_product WHERE category_id IS NOT NULL")
    assert labelled == 150 + after
    unsure = "SELECT count(*) FROM shopvision_prediction WHERE current = '' AND known < 0.5"
    assert labelled + shop.count(unsure) == 600
    assert shop.count("SELECT done FROM shopvision_job WHERE kind = 'classify'") == 600


def test_thread_engine_starts_anew_in_a_forked_web_process(shop: Shop) -> None:
    found = shop.ask("fork", 2)
    assert found["parent_had_thread"] is True
    assert found["children"] == [{"inherited": False, "indexed": True}] * 2
