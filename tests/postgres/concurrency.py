"""What only a server with row locks can show; run by ``test_postgres`` in a process of its own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from demo_shop.models import Product
from shopvision import listings
from shopvision.catalogue import outbox, reconcile
from shopvision.catalogue.models import Outbox
from shopvision.exceptions import InvalidRequest
from shopvision.index.models import Embedding
from shopvision.indexing import embeddings, encoder_releases
from shopvision.indexing.change_feed import verify
from shopvision.indexing.pipeline import drain_outbox, index_products
from shopvision.types import ProductRef
from tests.factories import DemoProductFactory, demo_ref

pytestmark = pytest.mark.django_db(transaction=True)
CHANGES = 400
WORKERS = 4


@pytest.fixture(autouse=True)
def quiet(data_dir: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No worker: the tests claim and index themselves."""
    monkeypatch.setattr(outbox, "on_commit_wake", lambda: None)


def at_once(work: Callable[[], Any], number: int = WORKERS) -> list[Any]:
    """What ``work`` returned in each of several threads that start together."""
    start, results, errors = threading.Barrier(number), [], []

    def run() -> None:
        try:
            start.wait(10)
            results.append(work())
        except Exception as error:  # noqa: BLE001 - whatever it was, the test shows it
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    return results


def record(count: int) -> list[ProductRef]:
    refs = [ProductRef("demo_shop.product", str(number)) for number in range(count)]
    outbox.record_changes(refs)
    return refs


def test_this_is_postgresql() -> None:
    assert connection.vendor == "postgresql"
    assert connection.features.has_select_for_update_skip_locked


def test_workers_at_once_never_hold_the_same_change_and_miss_none() -> None:
    refs = record(CHANGES)

    def claim_all() -> list[ProductRef]:
        held: list[ProductRef] = []
        while True:
            one = outbox.claim(10)
            if not one.changes:
                return held
            held += one.changes

    held = [ref for part in at_once(claim_all) for ref in part]
    assert len(held) == CHANGES
    assert set(held) == set(refs)


def test_a_worker_takes_other_changes_while_one_is_about_to_claim() -> None:
    record(20)
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            list(Outbox.objects.order_by("id").select_for_update()[:10])
            locked.set()
            done.wait(30)
        connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(10)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")
        got = outbox.claim(20).changes
    finally:
        done.set()
        holder.join(30)
    assert {ref.object_id for ref in got} == {str(number) for number in range(10, 20)}


def test_processes_at_once_share_the_changes() -> None:
    record(60)
    code = (
        "import django; django.setup(); from shopvision.catalogue import outbox\n"
        "while found := outbox.claim(5).changes: print(*(ref.object_id for ref in found), sep='\\n')"
    )
    name = connection.settings_dict["NAME"]
    environment = {"SHOPVISION_TEST_DB_NAME": name, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    printed = [worker.communicate(timeout=60)[0].split() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert sorted(int(number) for part in printed for number in part) == list(range(60))


def test_a_rollback_leaves_nothing_in_the_outbox() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        DemoProductFactory()
        raise RuntimeError("the shop changed its mind")
    assert not Outbox.objects.exists()
    assert not Product.objects.exists()


def test_our_failure_inside_the_shops_transaction_does_not_abort_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    monkeypatch.setattr(outbox, "record_changes", broken)
    with transaction.atomic():
        product = DemoProductFactory()
        assert Product.objects.filter(pk=product.pk).exists()
    assert Product.objects.filter(pk=product.pk).exists()


def test_index_search_unpublish_delete_and_reconcile(live_release: Any) -> None:
    products = [DemoProductFactory() for _ in range(8)]
    drain_outbox()
    chosen, hidden, gone = products[:3]
    with chosen.image.open("rb") as file:
        photo = file.read()
    assert listings.search_by_photo(photo).hits[0].product == demo_ref(chosen)
    Product.objects.filter(pk=hidden.pk).update(active=False)  # sends no signal
    gone_ref = demo_ref(gone)
    gone.delete()
    shown = {hit.product for hit in listings.search_by_photo(photo, limit=50).hits}
    assert not shown & {demo_ref(hidden), gone_ref}
    reconcile.reconcile()
    drain_outbox()
    assert outbox.pending() == 0
    assert verify(live_release).total == 0
    assert listings.search_by_photo(photo, limit=50).count == 6


def test_indexers_at_once_give_every_change_a_number_of_its_own(live_release: Any, settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "BATCH_SIZE": 4}
    products = [DemoProductFactory() for _ in range(24)]
    at_once(drain_outbox, 3)
    row = encoder_releases.live().row
    numbers = list(Embedding.objects.filter(release=row).values_list("sequence", flat=True))
    assert len(numbers) == len(set(numbers)) == len(products)
    row.refresh_from_db()
    assert max(numbers) == row.sequence
    assert verify(live_release).total == 0


def test_indexers_at_once_with_the_same_products_do_not_deadlock(live_release: Any) -> None:
    refs = [demo_ref(DemoProductFactory()) for _ in range(12)]
    Outbox.objects.all().delete()

    def index_often() -> list[dict[ProductRef, str]]:
        mine = random.Random(threading.get_ident())
        return [index_products(mine.sample(refs, 8)).failed for _ in range(6)]

    reports = at_once(index_often)
    assert [failed for part in reports for failed in part if failed] == []
    index_products(refs)
    assert verify(live_release).total == 0
    assert Embedding.objects.filter(vector__isnull=False).count() == len(refs)


@pytest.mark.parametrize("key", ["0", "-1", "9" * 30, "1.5", "x", ""])
def test_a_reference_the_database_cannot_hold_is_simply_not_found(live_release: Any, key: str) -> None:
    for source in ("demo_shop.product", "testshop.article"):
        with pytest.raises(InvalidRequest):
            listings.similar_products(ProductRef(source, key))


@pytest.mark.parametrize("path", ["similar/", "similar/?category=%00", "similar/?category=" + "9" * 30])
def test_a_hostile_address_is_no_server_error(live_release: Any, client: Any, path: str) -> None:
    product = DemoProductFactory()
    drain_outbox()
    for key in (product.pk, "9" * 30, "%00", "%ED%A0%80"):
        response = client.get(f"/vision/api/v1/products/demo_shop.product:{key}/{path}")
        assert response.status_code in (200, 400, 404), (key, response.content)


def test_a_releases_numbers_become_visible_in_order(live_release: Any) -> None:
    """The second writer of a release waits for the first's commit."""
    row, seen = live_release.row, []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with transaction.atomic():
            embeddings.lock([row.pk])
            inside.set()
            go_on.wait(30)
            seen.append("first")
        connections.close_all()

    def second() -> None:
        with transaction.atomic():
            embeddings.lock([row.pk])
            seen.append("second")
        connections.close_all()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    threads[1].join(0.5)
    assert seen == []
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert seen == ["first", "second"]


def test_the_claim_locks_and_skips(live_release: Any) -> None:
    record(1)
    with CaptureQueriesContext(connection) as queries:
        outbox.claim(1)
    assert any("FOR UPDATE SKIP LOCKED" in query["sql"] for query in queries)
