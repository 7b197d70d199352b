from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from shopvision import jobs
from shopvision.exceptions import EncoderUnavailable, Misconfigured
from shopvision.index.models import EncoderRelease
from shopvision.indexing import encoder_releases
from shopvision.indexing.change_feed import verify
from shopvision.indexing.pipeline import drain_outbox
from shopvision.tuning import promotion
from shopvision.tuning.tuner import tune
from tests.factories import ArticleFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def photographed(live_release: Any) -> EncoderRelease:
    """Fourteen articles with three photos each; their first release."""
    for _ in range(14):
        ArticleFactory(views=3)
    drain_outbox()
    return live_release.row


def promote_in_admin(client: Client, row: EncoderRelease) -> str:
    client.force_login(get_user_model().objects.create_superuser("boss", "b@example.org", "x"))
    url = reverse("admin:shopvision_encoderrelease_changelist")
    answer = client.post(url, {"action": "promote", "_selected_action": [row.pk]}, follow=True)
    return answer.content.decode()


def test_a_judged_candidate_is_built_before_it_answers(photographed: EncoderRelease, client: Client) -> None:
    candidate = tune(dry_run=True)
    assert "is live." in promote_in_admin(client, candidate)
    assert encoder_releases.live().row.pk == candidate.pk
    assert encoder_releases.live().index.count() == 42
    assert verify(encoder_releases.live()).total == 0


def test_a_retired_release_comes_back_with_what_changed_meanwhile(
    photographed: EncoderRelease, client: Client
) -> None:
    tune(force=True)
    ArticleFactory(views=2)
    drain_outbox()
    assert "is live." in promote_in_admin(client, photographed)
    assert encoder_releases.live().index.count() == 44
    assert verify(encoder_releases.live()).total == 0


@pytest.fixture
def on_another_encoder(photographed: EncoderRelease, settings: Any) -> EncoderRelease:
    """The shop has moved to another encoder, and to one article more."""
    settings.SHOPVISION = {**settings.SHOPVISION, "ENCODER": "tests.fakes.other_encoder"}
    encoder, graph = encoder_releases.first_encoder()
    row = encoder_releases.make_release(
        encoder, graph, encoder_releases.generic_for(encoder), {"recipe": {"kind": "generic"}}
    )
    promotion.promote(row)
    ArticleFactory(views=2)
    drain_outbox()
    assert encoder_releases.live().row.pk == row.pk
    return row


def test_rolling_back_describes_new_photos_with_the_former_encoder(
    photographed: EncoderRelease, on_another_encoder: EncoderRelease
) -> None:
    assert promotion.rollback().pk == photographed.pk
    assert encoder_releases.live().index.count() == 44
    assert verify(encoder_releases.live()).total == 0


def test_a_promotion_that_fails_leaves_both_releases_as_they_were(
    photographed: EncoderRelease, on_another_encoder: EncoderRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*args: Any, **kwargs: Any) -> None:
        raise EncoderUnavailable("no encoder")

    monkeypatch.setattr(promotion, "index_products", down)
    with pytest.raises(EncoderUnavailable):
        promotion.rollback()
    photographed.refresh_from_db()
    assert photographed.state == "retired"
    assert encoder_releases.live().row.pk == on_another_encoder.pk


def test_promoting_the_live_release_changes_nothing(photographed: EncoderRelease) -> None:
    assert promotion.promote(photographed).state == "live"
    with pytest.raises(Misconfigured):
        promotion.rollback()


def test_a_large_shop_switches_in_a_job_with_progress(
    photographed: EncoderRelease, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = tune(force=True)
    monkeypatch.setattr(promotion, "INSTANT_PHOTOS", 10)
    assert "list of jobs" in promote_in_admin(client, photographed)
    assert encoder_releases.live().row.pk == tuned.pk
    job = jobs.Job.objects.get(kind="promote")
    assert jobs.run(job)
    assert (job.state, job.total, job.done) == ("done", 14, 14)
    assert encoder_releases.live().row.pk == photographed.pk
    assert verify(encoder_releases.live()).total == 0


def test_a_cancelled_promotion_leaves_the_release_as_it_was(photographed: EncoderRelease) -> None:
    tuned = tune(force=True)
    job = jobs.start("promote", {"release": photographed.pk}, wake=False)
    jobs.run(job, watch=jobs.cancel)
    photographed.refresh_from_db()
    assert (job.state, photographed.state) == ("cancelled", "retired")
    assert encoder_releases.live().row.pk == tuned.pk


def test_a_complete_candidate_goes_live_at_once(
    photographed: EncoderRelease, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = tune(dry_run=True)
    promotion.promote(candidate)
    promotion.rollback()
    EncoderRelease.objects.filter(pk=candidate.pk).update(state="candidate")
    ArticleFactory(views=2)
    drain_outbox()
    monkeypatch.setattr(promotion, "INSTANT_PHOTOS", 10)
    monkeypatch.setattr(promotion, "build_steps", lambda row: pytest.fail("it was built already"))
    assert "is live." in promote_in_admin(client, candidate)
    assert verify(encoder_releases.live()).total == 0


def test_the_command_goes_back_too(photographed: EncoderRelease) -> None:
    tune(force=True)
    call_command("shopvision_models", rollback=True)
    assert encoder_releases.live().row.pk == photographed.pk


def test_going_back_twice_leads_two_releases_back(photographed: EncoderRelease) -> None:
    second = tune(force=True)
    ArticleFactory(views=3)
    drain_outbox()
    third = tune(force=True)
    assert len({photographed.pk, second.pk, third.pk}) == 3
    assert [promotion.rollback().pk, promotion.rollback().pk] == [second.pk, photographed.pk]
    with pytest.raises(Misconfigured, match="no release before"):
        promotion.rollback()
    assert verify(encoder_releases.live()).total == 0
