from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from demo_shop.models import Product
from shopvision import conf, jobs, signals, timestamps
from shopvision.catalogue import outbox
from shopvision.catalogue.adapter import catalogue
from shopvision.catalogue.models import CatalogueEntry, CatalogueImage, Outbox
from shopvision.exceptions import EncoderUnavailable
from shopvision.index.models import Descriptor, Embedding
from shopvision.indexing import encoder_releases, photos
from shopvision.indexing.change_feed import verify
from shopvision.indexing.encoder_releases import LiveRelease
from shopvision.indexing.pipeline import drain_outbox, index_products
from shopvision.types import ProductRef
from tests.drawing import photo_file
from tests.factories import ArticleFactory, DemoProductFactory, demo_ref
from tests.fakes import FakeEncoder, FlakyStorage

pytestmark = pytest.mark.django_db


def nearest(live: LiveRelease, product: Product) -> str:
    """Key of the product found first for the product's own photo."""
    entry = CatalogueEntry.objects.get(object_id=str(product.pk))
    image = entry.images.get()
    vector = live.index.vectors([image.pk])[image.pk]
    found = live.index.query(vector, 1, digest=live.row.digest)
    return CatalogueEntry.objects.get(pk=int(found.products[0])).object_id


def due_now() -> None:
    """Skip the back-off."""
    Outbox.objects.update(available_at=timestamps.from_seconds(0))


def test_a_saved_product_is_found_by_its_own_photo_once_the_outbox_is_drained(
    live_release: LiveRelease,
) -> None:
    products = [DemoProductFactory() for _ in range(5)]
    assert live_release.index.count() == 0
    assert drain_outbox() == 5
    assert [nearest(live_release, product) for product in products] == [str(p.pk) for p in products]
    assert set(CatalogueEntry.objects.values_list("state", flat=True)) == {"indexed"}
    assert CatalogueEntry.objects.filter(indexed_at__isnull=False).count() == 5
    assert verify(live_release).total == 0


def test_a_photo_already_described_is_never_described_again(live_release: LiveRelease) -> None:
    product = DemoProductFactory(price=Decimal("5.00"))
    drain_outbox()
    encoder = live_release.encoder
    assert isinstance(encoder, FakeEncoder)
    seen = encoder.images_seen
    product.price = Decimal("7.50")
    product.save()
    drain_outbox()
    assert encoder.images_seen == seen
    assert CatalogueEntry.objects.get().price == Decimal("7.50")


def test_a_change_of_price_reaches_the_index_without_encoding(live_release: LiveRelease) -> None:
    product = DemoProductFactory(price=Decimal("5.00"))
    drain_outbox()
    before = Embedding.objects.get().sequence
    product.price = Decimal("7.50")
    product.save()
    drain_outbox()
    assert Embedding.objects.get().sequence == before + 1 == live_release.index.sequence()


def test_nothing_new_writes_nothing(live_release: LiveRelease) -> None:
    product = DemoProductFactory()
    drain_outbox()
    sequence = live_release.index.sequence()
    report = index_products([demo_ref(product)])
    assert (report.unchanged, report.indexed, report.images) == (1, 0, 0)
    assert live_release.index.sequence() == sequence


def test_another_photo_under_the_same_name_is_noticed(live_release: LiveRelease) -> None:
    product = DemoProductFactory(seed=1)
    drain_outbox()
    before = live_release.index.vectors([CatalogueImage.objects.get().pk])
    storage, name = product.image.storage, product.image.name
    storage.delete(name)
    assert storage.save(name, photo_file(2)) == name
    report = index_products([demo_ref(product)])
    assert report.images == 1
    image = CatalogueImage.objects.get()
    after = live_release.index.vectors([image.pk])
    assert float(before[image.pk] @ after[image.pk]) < 0.999
    assert Descriptor.objects.get().content_digest == image.content_digest


def test_a_deleted_product_leaves_the_index_and_a_tombstone(live_release: LiveRelease) -> None:
    first, second = DemoProductFactory(), DemoProductFactory()
    drain_outbox()
    first.delete()
    drain_outbox()
    assert live_release.index.count() == 1
    assert Embedding.objects.filter(vector__isnull=True).count() == 1
    assert CatalogueEntry.objects.get().object_id == str(second.pk)
    assert verify(live_release).total == 0


def test_a_rolled_back_save_leaves_nothing(live_release: LiveRelease) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        DemoProductFactory()
        raise RuntimeError("the shop changed its mind")
    assert outbox.pending() == 0
    assert drain_outbox() == 0
    assert not CatalogueEntry.objects.exists()


def test_a_broken_photo_is_set_aside_with_its_reason_and_its_neighbours_are_indexed(
    live_release: LiveRelease,
) -> None:
    heard: list[dict[str, Any]] = []

    def listen(sender: Any, **kwargs: Any) -> None:
        heard.append(kwargs)

    signals.image_rejected.connect(listen)
    broken = DemoProductFactory(image=ContentFile(b"no photo at all", name="broken.jpg"))
    DemoProductFactory.create_batch(3)
    assert drain_outbox() == 4
    signals.image_rejected.disconnect(listen)
    image = CatalogueImage.objects.get(state="rejected")
    assert image.reject_code == "unsupported_format"
    assert image.reject_reason
    assert CatalogueEntry.objects.get(object_id=str(broken.pk)).state == "rejected"
    assert live_release.index.count() == 3
    assert [(one["product"], one["code"]) for one in heard] == [(demo_ref(broken), "unsupported_format")]
    assert outbox.pending() == 0


def test_a_product_whose_photo_is_replaced_by_a_broken_one_is_no_longer_found(
    live_release: LiveRelease,
) -> None:
    product = DemoProductFactory()
    drain_outbox()
    product.image = ContentFile(b"rubbish", name="rubbish.jpg")
    product.save()
    drain_outbox()
    assert live_release.index.count() == 0
    assert verify(live_release).total == 0


def test_a_photo_that_cannot_be_read_is_tried_again_and_set_aside_after_three_attempts(
    live_release: LiveRelease, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo_shop.models.Product.image.field.storage", FlakyStorage())
    DemoProductFactory.create_batch(2)
    lost = DemoProductFactory(image=photo_file(7, "lost.jpg"))
    monkeypatch.setattr(FlakyStorage, "broken", {"lost"})
    for attempt in range(1, conf.MAX_ATTEMPTS):
        due_now()
        drain_outbox()
        image = CatalogueImage.objects.get(entry__object_id=str(lost.pk))
        assert (image.state, image.attempts) == ("pending", attempt)
        assert outbox.pending() == 1
    due_now()
    drain_outbox()
    image.refresh_from_db()
    assert (image.state, image.reject_code) == ("rejected", "unreadable")
    assert "does not answer" in str(image.reject_reason)
    assert outbox.pending() == 0
    assert live_release.index.count() == 2


def test_a_photo_that_can_be_read_again_is_indexed(
    live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo_shop.models.Product.image.field.storage", FlakyStorage())
    DemoProductFactory()
    DemoProductFactory(image=photo_file(7, "lost.jpg"))
    monkeypatch.setattr(FlakyStorage, "broken", {"lost"})
    drain_outbox()
    assert live_release.index.count() == 1
    monkeypatch.setattr(FlakyStorage, "broken", set())
    due_now()
    drain_outbox()
    assert live_release.index.count() == 2
    assert set(CatalogueImage.objects.values_list("state", "attempts")) == {("indexed", 0)}


def test_a_storage_that_is_down_blames_no_photo(
    live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo_shop.models.Product.image.field.storage", FlakyStorage())
    DemoProductFactory.create_batch(3)
    monkeypatch.setattr(FlakyStorage, "broken", {"thing"})
    for _ in range(conf.MAX_ATTEMPTS + 2):
        due_now()
        drain_outbox()
    assert outbox.pending() == 3
    assert set(CatalogueImage.objects.values_list("state", "attempts")) == {("pending", 0)}
    monkeypatch.setattr(FlakyStorage, "broken", set())
    due_now()
    drain_outbox()
    assert live_release.index.count() == 3


def test_an_encoder_that_is_down_uses_up_no_attempt(live_release: LiveRelease) -> None:
    encoder = live_release.encoder
    assert isinstance(encoder, FakeEncoder)
    DemoProductFactory.create_batch(2)
    encoder.down = True
    with pytest.raises(EncoderUnavailable):
        index_products([demo_ref(product) for product in Product.objects.all()])
    for _ in range(conf.MAX_ATTEMPTS + 2):
        due_now()
        assert drain_outbox() == 0
    encoder.down = False
    due_now()
    drain_outbox()
    assert live_release.index.count() == 2


def test_a_photo_the_encoder_chokes_on_does_not_hold_up_its_batch(
    live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = live_release.encoder
    assert isinstance(encoder, FakeEncoder)
    DemoProductFactory.create_batch(4)
    DemoProductFactory(image=photo_file(9, "odd.jpg", side=33))
    monkeypatch.setattr(encoder, "chokes_on_width", 33)
    for _ in range(conf.MAX_ATTEMPTS):
        due_now()
        drain_outbox()
    assert live_release.index.count() == 4
    assert CatalogueImage.objects.get(state="rejected").reject_code == "failed"
    assert outbox.pending() == 0


def test_a_product_the_adapter_cannot_read_does_not_hold_up_its_batch(
    live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = DemoProductFactory()
    DemoProductFactory.create_batch(2)
    adapter = catalogue("demo_shop.product")
    facts = adapter.facts

    def failing(product: Product) -> Any:
        if product.pk == bad.pk:
            raise ZeroDivisionError("the shop's own code")
        return facts(product)

    monkeypatch.setattr(adapter, "facts", failing)
    drain_outbox()
    assert live_release.index.count() == 2
    waiting = Outbox.objects.get()
    assert "ZeroDivisionError" in str(waiting.last_error)


def test_a_product_of_an_unknown_source_is_reported_and_the_others_go_on(live_release: LiveRelease) -> None:
    product = DemoProductFactory()
    stranger = ProductRef("nobody.knows", "1")
    report = index_products([stranger, demo_ref(product)])
    assert report.indexed == 1
    assert set(report.failed) == {stranger}


def test_a_larger_batch_needs_no_more_queries(live_release: LiveRelease) -> None:
    DemoProductFactory.create_batch(4)
    few = _queries()
    DemoProductFactory.create_batch(16)
    assert _queries() == few


def _queries() -> int:
    encoder_releases._seen.checked = float(
        "-inf"
    )  # every count looks up the live release, however slow the machine
    with CaptureQueriesContext(
        connection,
    ) as captured:
        drain_outbox()
    return len(captured)


def test_a_product_of_several_photos_is_written_as_a_whole_when_one_goes(live_release: LiveRelease) -> None:
    article = ArticleFactory(views=3)
    drain_outbox()
    assert live_release.index.count() == 3
    assert len(set(Embedding.objects.values_list("entry_id", flat=True))) == 1
    last = Embedding.objects.order_by("-sequence")[0].sequence
    article.pictures.first().delete()
    drain_outbox()
    assert live_release.index.count() == 2
    rows = Embedding.objects.filter(sequence__gt=last)  # two photos around another centre, one tombstone
    assert sorted(row.vector is None for row in rows) == [False, False, True]
    assert verify(live_release).total == 0


def test_the_vectors_stored_are_unit_float16_of_the_release(live_release: LiveRelease) -> None:
    DemoProductFactory()
    drain_outbox()
    row = Embedding.objects.get()
    vector = np.frombuffer(bytes(row.vector or b""), "<f2").astype(np.float32)
    assert vector.shape == (live_release.row.dim,)
    assert abs(float(np.linalg.norm(vector)) - 1.0) < 1e-2
    assert row.release_id == live_release.row.pk


def test_the_report_reads_as_a_sentence(live_release: LiveRelease) -> None:
    product = DemoProductFactory()
    text = str(index_products([demo_ref(product)]))
    assert text.startswith("1 products indexed, 1 new photos in ")


def test_a_storage_that_raises_its_own_kind_of_error_spoils_no_sample(
    live_release: LiveRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ClientError(Exception):
        """As a cloud's client raises; no OSError."""

    DemoProductFactory.create_batch(3)
    broken = Product.objects.first()
    assert broken is not None
    read = photos.read

    def flaky(file: Any, most: int) -> bytes:
        if file.name == broken.image.name:
            raise ClientError("503 slow down")
        return read(file, most)

    monkeypatch.setattr(photos, "read", flaky)
    assert len(photos.sample_photos(6)) == 2  # half of them of each catalogue


def test_the_estimate_for_what_was_set_aside_counts_it(live_release: LiveRelease) -> None:
    DemoProductFactory(image=ContentFile(b"no photo", name="bad.jpg"))
    DemoProductFactory()
    drain_outbox()
    assert jobs.estimate("index_all", {"failed": True})["products"] == 1
