from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from demo_shop.models import Product, ProductPhoto
from shopvision import conf
from shopvision.catalogue import outbox
from shopvision.catalogue.models import Outbox
from shopvision.messages import Message
from shopvision.types import ProductRef
from tests.drawing import photo_file
from tests.factories import (
    ArticleFactory,
    DemoProductFactory,
    PictureFactory,
    TopicFactory,
    article_ref,
    demo_ref,
)
from tests.testshop.models import Article, Bargain, Boot, Picture, Poster, Topic

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def quiet(data_dir: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """No worker: wake-ups are counted."""
    woken: list[int] = []
    monkeypatch.setattr(outbox, "on_commit_wake", lambda: woken.append(1))
    return woken


def waiting() -> set[ProductRef]:
    return {ProductRef(row.source, row.object_id) for row in Outbox.objects.all()}


def test_a_save_writes_a_change_in_the_shops_own_transaction() -> None:
    product = DemoProductFactory()
    assert waiting() == {demo_ref(product)}


def test_a_rollback_leaves_nothing() -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        DemoProductFactory()
        raise RuntimeError("the shop changed its mind")
    assert waiting() == set()


def test_a_worker_is_woken_once_the_change_is_committed(
    quiet: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        DemoProductFactory()
        assert quiet == []
    assert quiet


def test_deleting_a_product_is_a_change() -> None:
    product = DemoProductFactory()
    ref = demo_ref(product)
    Outbox.objects.all().delete()
    product.delete()
    assert ref in waiting()


def test_a_queryset_delete_is_a_change_of_each() -> None:
    refs = {demo_ref(DemoProductFactory()) for _ in range(3)}
    Outbox.objects.all().delete()
    Product.objects.all().delete()
    assert waiting() == refs


def test_a_related_photo_changes_its_product() -> None:
    product = DemoProductFactory()
    Outbox.objects.all().delete()
    photo = ProductPhoto.objects.create(product=product, image=photo_file(5))
    assert waiting() == {demo_ref(product)}
    Outbox.objects.all().delete()
    photo.delete()
    assert waiting() == {demo_ref(product)}


@pytest.mark.parametrize("model", [Bargain, Boot])
def test_a_save_through_a_proxy_or_a_model_made_from_the_products_is_a_change(model: type[Article]) -> None:
    article = model.objects.create(headline="in the sale")
    assert waiting() == {ProductRef("testshop.article", str(article.pk))}
    Outbox.objects.all().delete()
    article.save()
    assert waiting() == {ProductRef("testshop.article", str(article.pk))}
    Outbox.objects.all().delete()
    ref = ProductRef("testshop.article", str(article.pk))
    article.delete()
    assert waiting() == {ref}


def test_a_save_through_a_proxy_of_a_related_model_changes_its_product() -> None:
    first, second = ArticleFactory(), ArticleFactory()
    picture = PictureFactory(article=first)
    Outbox.objects.all().delete()
    poster = Poster.objects.get(pk=picture.pk)
    poster.article = second
    poster.save()
    assert waiting() == {article_ref(first), article_ref(second)}


def test_a_photo_moved_to_another_product_changes_both() -> None:
    first, second = ArticleFactory(), ArticleFactory()
    picture = PictureFactory(article=first)
    Outbox.objects.all().delete()
    picture.article = second
    picture.save()
    assert waiting() == {article_ref(first), article_ref(second)}


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_no_worker_is_woken_before_the_photo_has_moved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = ArticleFactory(), ArticleFactory()
    picture = PictureFactory(article=first)
    owners: list[Any] = []
    monkeypatch.setattr(
        outbox, "on_commit_wake", lambda: owners.append(Picture.objects.get(pk=picture.pk).article_id)
    )
    Outbox.objects.all().delete()
    picture.article = second
    picture.save()
    assert owners == [second.pk]
    assert waiting() == {article_ref(first), article_ref(second)}


def test_a_many_to_many_change_is_a_change() -> None:
    article, topic = ArticleFactory(), TopicFactory()
    Outbox.objects.all().delete()
    article.topics.add(topic)
    assert waiting() == {article_ref(article)}
    Outbox.objects.all().delete()
    topic.article_set.remove(article)
    assert waiting() == {article_ref(article)}


def test_clearing_a_topic_from_its_side_or_deleting_it_changes_its_articles() -> None:
    first, second, untouched = (ArticleFactory() for _ in range(3))
    topic, other = TopicFactory(), TopicFactory()
    topic.article_set.set([first, second])
    other.article_set.set([untouched])
    Outbox.objects.all().delete()
    topic.article_set.clear()
    assert waiting() == {article_ref(first), article_ref(second)}
    topic.article_set.set([first])
    Outbox.objects.all().delete()
    topic.delete()
    assert waiting() == {article_ref(first)}


def test_deleting_many_topics_at_once_changes_the_articles_of_those_below_them_too() -> None:
    article = ArticleFactory()
    below = TopicFactory(parent=TopicFactory())
    article.topics.add(below)
    Outbox.objects.all().delete()
    Topic.objects.filter(parent=None).delete()
    assert waiting() == {article_ref(article)}


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A second database, in memory, with the articles' table."""
    connections.databases["elsewhere"] = {
        **connections.databases["default"],
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {},
    }
    connection = connections.create_connection("elsewhere")
    del connections.databases["elsewhere"]  # Django's tests allow any connection the settings do not name
    connections["elsewhere"] = connection
    with connection.schema_editor() as editor:
        editor.create_model(Article)
    yield "elsewhere"
    connection.close()
    del connections["elsewhere"]


def test_a_change_in_another_database_is_recorded_once_that_one_commits(elsewhere: str) -> None:
    article = Article(headline="stored elsewhere")
    with transaction.atomic(using=elsewhere):
        article.save(using=elsewhere)
        assert waiting() == set()  # a worker would not find it yet
    assert waiting() == {article_ref(article)}
    Outbox.objects.all().delete()
    with pytest.raises(RuntimeError), transaction.atomic(using=elsewhere):
        article.save(using=elsewhere)
        raise RuntimeError("the shop changed its mind")
    assert waiting() == set()


def test_a_failure_of_ours_never_breaks_the_shops_save(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ValueError("our bug")

    monkeypatch.setattr(outbox, "record_changes", broken)
    with transaction.atomic():
        product = DemoProductFactory()
        assert Product.objects.filter(pk=product.pk).exists()
    assert Product.objects.filter(pk=product.pk).exists()


def record(count: int) -> list[ProductRef]:
    refs = [ProductRef("demo_shop.product", str(n)) for n in range(count)]
    outbox.record_changes(refs)
    return refs


def test_two_workers_never_hold_the_same_change() -> None:
    refs = record(10)
    first, second = outbox.claim(6), outbox.claim(6)
    assert len(first.changes) == 6
    assert {*first.changes, *second.changes} == set(refs)
    assert not set(first.changes) & set(second.changes)
    assert outbox.claim(6).changes == []


def test_several_changes_of_one_product_are_worked_off_together() -> None:
    record(2)
    record(2)
    claim = outbox.claim(10)
    assert len(claim.changes) == 2
    outbox.finish(claim)
    assert outbox.pending() == 0


def test_a_change_recorded_while_its_product_is_worked_on_stays() -> None:
    record(1)
    claim = outbox.claim(1)
    record(1)
    outbox.finish(claim)
    assert outbox.pending() == 1


def test_a_lease_that_ran_out_is_free_again() -> None:
    refs = record(1)
    dead = outbox.claim(1)
    Outbox.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    alive = outbox.claim(1)
    assert alive.changes == refs
    outbox.finish(dead)
    assert outbox.pending() == 1
    outbox.finish(alive)
    assert outbox.pending() == 0


def test_a_change_that_fails_waits_longer_each_time_and_is_set_aside_in_the_end() -> None:
    refs = record(1)
    waits = []
    for _ in range(conf.MAX_ATTEMPTS):
        Outbox.objects.update(available_at=timezone.now())
        claim = outbox.claim(1)
        assert claim.changes == refs
        outbox.release(claim, refs, Message("made_up", {"what": "the storage said no"}))
        row = Outbox.objects.get()
        waits.append((row.available_at - timezone.now()).total_seconds())
    assert waits[1] > waits[0] > 1
    assert row.state == Outbox.State.POISONED
    assert row.last_error == Message("made_up", {"what": "the storage said no"})
    assert outbox.claim(1).changes == []
    assert outbox.retry(Outbox.objects.all()) == 1
    assert outbox.claim(1).changes == refs


def test_an_attempt_that_was_nobodys_fault_is_not_counted() -> None:
    refs = record(1)
    for _ in range(conf.MAX_ATTEMPTS + 2):
        Outbox.objects.update(available_at=timezone.now())
        claim = outbox.claim(1)
        outbox.release(claim, refs, Message("made_up", {"what": "the encoder is down"}), counts=False)
    assert Outbox.objects.get().state == Outbox.State.WAITING


def test_work_that_succeeds_clears_what_was_set_aside_of_the_product() -> None:
    mended, other = DemoProductFactory(), DemoProductFactory()
    Outbox.objects.update(state="poisoned")
    mended.save()
    outbox.finish(outbox.claim(10))
    assert waiting() == {demo_ref(other)}
