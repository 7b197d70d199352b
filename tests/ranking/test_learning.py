"""From events to a ranker that serves, and from erasure to one that has forgotten."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from shopvision import conf, jobs, metrics
from shopvision.catalogue.models import CatalogueEntry
from shopvision.events import simulated_events, tracking, writer
from shopvision.events.models import Event, ProductCount
from shopvision.indexing import encoder_releases
from shopvision.messages import translated
from shopvision.privacy.consent import subject_of
from shopvision.privacy.erasure import erase
from shopvision.privacy.models import PrivacyLog
from shopvision.privacy.pseudonyms import pseudonym
from shopvision.ranking import ranker_releases, serving
from shopvision.ranking.item_model.model import NOTHING
from shopvision.ranking.item_model.refresh import refresh
from shopvision.ranking.models import KnowledgeSnapshot, RankerRelease
from shopvision.ranking.rankers.base import PriorRanker
from shopvision.ranking.simulation import simulate
from shopvision.ranking.training import ranker_retraining
from shopvision.ranking.training.event_log import read_facts
from shopvision.ranking.visitor_profile import taste_of
from shopvision.types import ProductRef, Subject
from tests.factories import demo_ref
from tests.ranking.learning import catalogue, did
from tests.visitors import again, visitor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(data_dir: Path) -> None:
    """No model of another test."""


def train(**params: Any) -> jobs.Job:
    job = jobs.start("train_ranker", params, wake=False)
    jobs.run(job)
    return job


def trained(**values: Any) -> RankerRelease:
    """A release as a training leaves it."""
    name, digest = ranker_releases.storage.store(
        ranker_releases.RANKERS, PriorRanker({"recent": 1.0}).to_bytes()
    )
    given = {"kind": "linear", "artefact": name, "digest": digest, "snapshot": "x", **values}
    return RankerRelease.objects.create(learned_until=timezone.now(), **given)


def now_serving() -> serving.Serving:
    serving.forget()
    serving.current()
    return serving.current()


def pointed_at(knowledge: Any, product: ProductRef) -> set[str]:
    """What the knowledge says goes with a product."""
    row = knowledge.neighbours["together"].ids[knowledge.numbers([str(product)])[0]]
    return {knowledge.items[one] for one in row.tolist() if one >= 0}


def test_what_visitors_did_becomes_a_ranker_behind_the_gate() -> None:
    catalogue()
    assert simulate(visitors=110, days=40) == simulated_events.there()
    job = train(kind="linear")
    assert job.state == "done", job.message
    row = RankerRelease.objects.get()
    gain = row.metrics["compared"]["prior"]["gain"]
    assert (row.state == "live") == str(row.reason).startswith(("better: NDCG@10 0.", "no worse: NDCG@10 0."))
    assert (gain < 0) == str(row.reason).startswith("worse: NDCG@10 0.")
    assert set(row.metrics["rows"]) == {"prior", "popularity", "recent_popularity", "shuffle", "no_op"}
    low, high = row.metrics["ndcg@10_interval"]
    assert low < row.metrics["ndcg@10"] < high
    assert row.metrics["ndcg@10"] > row.metrics["rows"]["shuffle"]["ndcg@10"] + 0.1
    assert row.data["simulated"] == Event.objects.count()
    ranker_releases.promote(row)  # whatever the gate said of so few visitors
    found = now_serving()
    assert (found.ranker.kind, len(found.knowledge)) == ("linear", 120)
    again = train(kind="linear")
    assert again.result["release"] == row.pk  # the same events and seed give the same ranker
    assert RankerRelease.objects.count() == 1


def test_too_few_acts_train_no_ranker_but_are_known_at_once() -> None:
    first, second, third, *_ = catalogue(20)
    for subject in ("a", "b"):
        did(subject, first)
        did(subject, second)
    job = train()
    assert job.state == "failed"
    assert "4 acts" in str(job.message)
    assert not RankerRelease.objects.exists()
    known = now_serving().knowledge
    assert pointed_at(known, first) == {str(second)}
    assert pointed_at(known, third) == set()


def test_only_who_agreed_to_improvement_is_learned_from() -> None:
    first, second, *_ = catalogue(5)
    did("a", first, purposes=1)
    did("a", second, purposes=1)
    refresh()
    assert pointed_at(now_serving().knowledge, first) == set()


def test_erasing_a_subject_takes_its_influence_out_of_the_next_knowledge() -> None:
    first, second, third, *_ = catalogue(10)
    who = Subject(visitor="somebody")
    did("another", first, session="1")
    did("another", third, session="1")
    did(pseudonym(who), first, session="2")
    did(pseudonym(who), second, session="2")
    refresh()
    assert pointed_at(now_serving().knowledge, first) == {str(second), str(third)}
    assert erase(who, source="test").counts["events"] == 2
    refresh()
    assert pointed_at(now_serving().knowledge, first) == {str(third)}


def test_a_process_that_has_no_encoder_open_learns_from_looks_all_the_same(
    mugs: list[Any], settings: Any
) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "ENGINE": "thread"}
    encoder_releases.reset()
    looks = read_facts(timezone.now()).visual
    assert looks is not None
    assert looks.any(axis=1).all()


def test_erasing_a_subject_takes_its_taste_away_at_once(consent_mode: None, mugs: list[Any]) -> None:
    request = visitor("personalisation", "improvement")
    tracking.record(request, "view", mugs[0])
    writer.write_waiting()
    elsewhere = visitor()  # another session of the same browser: only the rows know what it looked at
    elsewhere.COOKIES.update(request.COOKIES)
    assert [one.product for one in taste_of(again(elsewhere)).seen] == [demo_ref(mugs[0])]
    assert len(taste_of(again(request)).seen) == 1
    erase(subject_of(request), source="test", request=request)
    assert taste_of(again(request)).seen == ()
    assert taste_of(again(elsewhere)).seen == ()


def test_where_only_sums_are_kept_they_tell_what_is_popular() -> None:
    first, second, third, *_ = catalogue(5)
    today = timezone.now().date()
    for product, count in ((first, 3), (second, 7)):
        ProductCount.objects.create(day=today, product=str(product), kind="view", count=count)
    refresh()
    known = now_serving().knowledge
    shares = known.columns["popularity"][known.numbers([str(first), str(second), str(third)])]
    assert shares[1] == 1
    assert shares[0] == pytest.approx(np.log(4) / np.log(8), abs=0.01)
    assert shares[2] == 0


def test_another_release_that_goes_live_serves_and_a_rollback_brings_the_one_before() -> None:
    catalogue(5)
    first, second = trained(), trained()
    assert isinstance(now_serving().ranker, PriorRanker)
    ranker_releases.promote(first)
    assert str(first) in now_serving().name
    ranker_releases.promote(second)
    assert str(second) in now_serving().name
    assert ranker_releases.rollback() == first
    assert str(first) in now_serving().name
    assert ranker_releases.rollback() is None  # before the first was the blend: not to and fro
    assert "prior" in now_serving().name
    with pytest.raises(ranker_releases.InvalidRequest, match="no trained ranker is live"):
        ranker_releases.rollback()


def test_a_damaged_ranker_never_goes_live_and_one_damaged_later_is_stood_in_for() -> None:
    row = ranker_releases.promote(trained())
    default_storage.delete(row.artefact)
    (Path(conf.DATA_DIR) / "rankers" / row.digest).unlink()
    metrics.reset()
    assert isinstance(now_serving().ranker, PriorRanker)
    assert "is gone" in translated(serving.kept().problem)
    assert metrics.snapshot()["counters"]["ranker_broken"] == 1
    with pytest.raises(ranker_releases.Misconfigured, match="is gone"):
        ranker_releases.promote(
            RankerRelease.objects.create(
                kind="linear",
                artefact=row.artefact,
                digest=row.digest,
                snapshot="x",
                learned_until=timezone.now(),
            )
        )


def test_a_damaged_knowledge_leaves_the_one_before_and_old_ones_are_forgotten() -> None:
    catalogue(3)
    for _ in range(5):
        did("a", ProductRef("demo_shop.product", "1"))
        refresh()
    assert KnowledgeSnapshot.objects.count() == ranker_releases.KEPT_KNOWLEDGE
    row = KnowledgeSnapshot.objects.first()
    assert row is not None
    default_storage.delete(row.artefact)
    assert now_serving().knowledge is NOTHING
    assert "knowledge@" in translated(serving.kept().problem)


def test_knowledge_is_refreshed_daily_and_a_ranker_trained_weekly_if_something_happened() -> None:
    assert ranker_retraining.due() == []
    first, *_ = catalogue(3)
    assert ranker_retraining.due() == ["refresh_knowledge"]
    assert ranker_retraining.start_due(wake=False) == 1
    assert ranker_retraining.due() == []  # it waits already
    jobs.run_waiting()
    assert ranker_retraining.due() == []
    KnowledgeSnapshot.objects.update(created_at=timezone.now() - timedelta(hours=25))
    CatalogueEntry.objects.update(changed_at=timezone.now() - timedelta(hours=26))
    jobs.Job.objects.all().delete()
    assert ranker_retraining.due() == []  # nothing happened
    PrivacyLog.objects.create(act=PrivacyLog.Act.ERASE, source="test")
    assert ranker_retraining.due() == ["refresh_knowledge"]  # what was erased is to be forgotten
    PrivacyLog.objects.all().delete()
    did("a", first)
    assert ranker_retraining.due() == ["refresh_knowledge"]
    for number in range(100):
        did(f"{number}", first)
    assert ranker_retraining.due() == ["train_ranker"]
    trained()
    assert ranker_retraining.due() == ["refresh_knowledge"]
    RankerRelease.objects.update(created_at=timezone.now() - timedelta(days=8))
    assert ranker_retraining.due() == ["train_ranker"]
