from __future__ import annotations

import pytest

from demo_shop.models import Product
from shopvision.catalogue.models import CatalogueEntry, Outbox
from shopvision.indexing.drift import drift_known, queue_differences
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.jobs import reconcile_periodically
from shopvision.indexing.pipeline import drain_outbox
from shopvision.jobs import periodic
from tests.factories import DemoProductFactory

pytestmark = pytest.mark.django_db


def never() -> bool:
    return False


def test_a_change_that_sent_no_signal_is_found_by_the_reconciler(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(3)
    drain_outbox()
    assert not any(queue_differences().values())
    Product.objects.filter(pk=Product.objects.first().pk).update(title="renamed behind our back")  # type: ignore[union-attr]
    assert queue_differences()["stale"] == 1
    drain_outbox()
    assert CatalogueEntry.objects.filter(title="renamed behind our back").exists()
    assert not any(queue_differences().values())


def test_the_drift_is_counted_by_the_worker_and_again_after_its_repair(live_release: LiveRelease) -> None:
    assert drift_known()["total"] is None
    DemoProductFactory.create_batch(3)
    drain_outbox()
    Product.objects.filter(pk=Product.objects.first().pk).update(title="renamed behind our back")  # type: ignore[union-attr]
    reconcile_periodically()
    assert (drift_known()["stale"], drift_known()["total"]) == (1, 1)
    periodic.turn(periodic.Clock(), "command", never, periodic.run_jobs)
    assert drift_known()["total"] == 0


def test_a_product_nobody_finished_is_queued_once(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(2)
    drain_outbox()
    CatalogueEntry.objects.update(state="pending")  # a worker died on them, outside the outbox
    assert queue_differences()["unfinished"] == 2
    assert not any(queue_differences().values())
    assert Outbox.objects.count() == 2
