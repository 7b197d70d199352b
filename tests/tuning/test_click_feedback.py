"""Photos searched with teach the projection: kept only of who agreed, forgotten with them, judged on held-out ones."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from django.contrib.auth import get_user_model
from PIL import Image

from shopvision import jobs, listings
from shopvision.events import tracking, writer
from shopvision.events.login_merge import adopt
from shopvision.exceptions import InvalidRequest
from shopvision.index.models import EncoderRelease
from shopvision.indexing import encoder_releases
from shopvision.indexing.pipeline import drain_outbox
from shopvision.privacy.consent import subject_of
from shopvision.privacy.erasure import erase
from shopvision.privacy.pseudonyms import pseudonym
from shopvision.tuning import click_feedback
from shopvision.tuning.models import PhotoQuery
from shopvision.tuning.tuner import tune
from shopvision.types import Subject
from tests.drawing import draw
from tests.factories import ArticleFactory, article_ref
from tests.visitors import again, visitor

pytestmark = pytest.mark.django_db
ARTICLES = 24


def phone(seed: int, view: int) -> bytes:
    """The thing by warm light, as phones see it, before another background."""
    pixels = np.asarray(draw(seed, view=view), np.float32)
    pixels = pixels * np.array([1.0, 0.72, 0.45]) + np.array([0, 10, 0]) * (view + 1)
    out = io.BytesIO()
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=85)
    return out.getvalue()


@pytest.fixture
def shop(live_release: Any, consent_mode: None) -> list[Any]:
    """Articles with two photos each."""
    articles = [ArticleFactory(views=2) for _ in range(ARTICLES)]
    drain_outbox()
    return articles


def seed_of(article: Any) -> int:
    return int(str(article.headline).split()[-1])


def searched(request: Any, article: Any, view: int = 3, kind: str = "click") -> Any:
    """A shopper searches with a photo of an article and chooses it."""
    found = listings.search_by_photo(phone(seed_of(article), view), context=request)
    tracking.record(request, kind, article_ref(article), listing=found.id)
    return found


def test_a_photo_is_kept_in_numbers_only_of_who_agreed_to_improvement(shop: list[Any]) -> None:
    for request in (None, visitor(), visitor("personalisation"), visitor("improvement", HTTP_SEC_GPC="1")):
        listings.search_by_photo(phone(1, 0), context=request)
    assert not PhotoQuery.objects.exists()
    request = visitor("improvement")
    found = listings.search_by_photo(phone(1, 0), context=request)
    row = PhotoQuery.objects.get()
    assert row.listing == found.id.replace("-", "")
    assert row.subject == pseudonym(subject_of(request))
    assert len(bytes(row.data)) < 8000
    listings.forget(found.id)
    assert not PhotoQuery.objects.exists()


def test_in_session_mode_no_photo_is_kept(shop: list[Any], mode: Any) -> None:
    mode("session")
    listings.search_by_photo(phone(1, 0), context=visitor("personalisation", "improvement"))
    assert not PhotoQuery.objects.exists()


def test_a_photo_goes_with_its_shopper_and_with_the_user_they_turn_out_to_be(shop: list[Any]) -> None:
    request = visitor("improvement")
    searched(request, shop[0])
    assert erase(subject_of(request), source="test").counts["photo_queries"] == 1
    assert not PhotoQuery.objects.exists()
    another = visitor("improvement")
    searched(another, shop[0])
    user = get_user_model().objects.create_user("ann")
    adopt(again(another), str(user.pk))
    assert PhotoQuery.objects.get().subject == pseudonym(Subject(str(user.pk)))
    user.delete()
    assert not PhotoQuery.objects.exists()


def test_too_few_clicks_teach_nothing(shop: list[Any]) -> None:
    request = visitor("improvement")
    searched(request, shop[0])
    with pytest.raises(InvalidRequest, match="1 photo searches"):
        tune(clicks=True)
    assert EncoderRelease.objects.count() == 1


def test_what_was_bought_counts_before_what_was_clicked_last(shop: list[Any]) -> None:
    request = visitor("improvement")
    found = searched(request, shop[0], kind="purchase")
    tracking.record(request, "click", article_ref(shop[1]), listing=found.id)
    writer.write_waiting()
    assert click_feedback._chosen([found.id.replace("-", "")]) == {
        found.id.replace("-", ""): str(article_ref(shop[0]))
    }


@pytest.mark.slow
def test_shoppers_photos_make_the_search_better_and_the_gate_says_so(shop: list[Any]) -> None:
    request = visitor("improvement")
    for view in (3, 4):
        for article in shop:
            searched(request, article, view)
    before = encoder_releases.live().row
    writer.write_waiting()
    assert click_feedback.enough_since(before)
    job = jobs.start("tune_from_clicks", wake=False)
    jobs.run(job)
    job.refresh_from_db()
    assert job.state == "done", job.message
    row = encoder_releases.live().row
    assert job.result["release"] == str(row)
    assert not click_feedback.enough_since(row)
    judged = row.metrics["judged_on"]
    assert judged == {"queries": 2 * ARTICLES, "kind": "clicks"}
    assert row.metrics["recall@1"] > row.metrics["compared_with"]["recall@1"]
    assert row.state == "live"
    assert row.metrics["clicks"] == 2 * ARTICLES
    again_row = tune(clicks=True)
    assert again_row.pk == row.pk  # the same photos give the same release
    assert before.pk != row.pk
