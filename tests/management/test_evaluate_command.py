"""shopvision_evaluate: an empty shop, and the demo's products with the real encoder."""

from __future__ import annotations

import io
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from demo_shop import art, seed
from shopvision.classification.models import ClassifierRelease, DatasetSnapshot, Decision
from shopvision.events.models import Event
from shopvision.index.models import Embedding
from shopvision.indexing import encoder_releases
from shopvision.indexing.pipeline import drain_outbox
from shopvision.privacy.consent import BITS
from shopvision.ranking.simulation import simulate_experiment
from shopvision.tuning.tuner import tune
from tests.factories import ArticleFactory

pytestmark = pytest.mark.django_db
PARTS = ["held_out_photos", "search_clicks", "reviews", "rankers"]


def words(*args: str) -> str:
    out = io.StringIO()
    call_command("shopvision_evaluate", *args, stdout=out)
    return out.getvalue()


def figures(*args: str) -> dict[str, Any]:
    return dict(json.loads(words("--json", *args)))


def test_an_empty_shop_says_what_is_missing_in_each_part(live_release: Any, mode: Any) -> None:
    mode("consent")
    found = words()
    assert "missing: 20 photos of products with two or more" in found
    assert "missing: 30 searches, 5 visitors" in found
    assert "No classifier is live" in found
    assert "Ranker: the untrained blend" in found
    assert "missing: 1 trained ranker" in found
    assert list(figures()) == PARTS


@pytest.mark.parametrize("name", ["off", "session"])
def test_where_no_events_are_kept_it_says_so(live_release: Any, mode: Any, name: str) -> None:
    mode(name)
    assert f"PRIVACY_MODE is {name}" in words("search_clicks")


def test_only_the_parts_that_are_named_are_judged(live_release: Any) -> None:
    assert list(figures("rankers", "reviews")) == ["reviews", "rankers"]
    with pytest.raises(CommandError, match="no part is called retrieval; there are held_out_photos"):
        words("retrieval")
    with pytest.raises(CommandError, match="above 0"):
        words("--sample", "0")


def test_before_anything_is_indexed_it_says_what_to_run(data_dir: Path) -> None:
    encoder_releases.reset()
    with pytest.raises(CommandError, match="shopvision_index"):
        words("held_out_photos")


def events() -> None:
    """Thirty photo searches of ten visitors, every third with a click on the second product."""
    for number in range(30):
        listing, subject = uuid.uuid4().hex, f"1.{number % 10}"
        given = {
            "subject": subject,
            "listing": listing,
            "purposes": BITS["improvement"],
            "at": timezone.now(),
        }
        Event.objects.create(key=uuid.uuid4().hex, kind="photo_search", **given)
        if number % 3 == 0:
            product = {"product": "demo_shop.product:1", "position": 1}
            Event.objects.create(key=uuid.uuid4().hex, kind="click", **given, **product)


def decisions() -> None:
    snapshot = DatasetSnapshot.objects.create(digest="0" * 64, source="demo_shop.product", target="category")
    live = ClassifierRelease.objects.create(
        source="demo_shop.product", target="category", kind="linear", state="live", snapshot=snapshot
    )
    for number in range(20):
        Decision.objects.create(
            source="demo_shop.product",
            object_id=str(number),
            target="category",
            verb="accept" if number < 15 else "correct",
            label="1",
            probability=0.75,
            release=live,
        )


def test_a_release_that_was_tuned_on_these_photos_says_so(live_release: Any) -> None:
    """The recall of its own gate, on photos held out of the fit, stands beside."""
    for _ in range(40):
        ArticleFactory(views=2)
    drain_outbox()
    assert figures("held_out_photos")["held_out_photos"]["tuning"] is None
    assert "upper bound" not in words("held_out_photos")
    row = tune(force=True)
    encoder_releases.reset()
    found = figures("held_out_photos")["held_out_photos"]
    assert found["release"] == str(row)
    assert found["tuning"] == {"recall@1": row.metrics["recall@1"], "judged_on": row.metrics["judged_on"]}
    assert "The release was tuned on these photos, so this is an upper bound" in words("held_out_photos")


@pytest.mark.slow
def test_the_demos_products_are_judged_with_the_real_encoder(
    data_dir: Path, settings: Any, mode: Any
) -> None:
    given = {**settings.SHOPVISION, "ENCODER": "weights:efficientnet_lite0", "PRECISION": "fp32"}
    settings.SHOPVISION = {**given, "PRIVACY_MODE": "consent"}
    encoder_releases.reset()
    for number, thing in enumerate(art.things(per_kind=2)):
        seed._add(number, thing, seed._drawn(thing))
    encoder_releases.bootstrap()
    drain_outbox()
    events()
    decisions()
    simulate_experiment()
    before = Embedding.objects.count()
    found = figures("--sample", "60")
    photos = found["held_out_photos"]
    assert (photos["photos"], photos["eligible_photos"], photos["sample"]) == (60, before, 60)
    assert photos["recall@5"] >= photos["recall@1"] > 0.5
    assert photos["recall@1_interval"][0] <= photos["recall@1"] <= photos["recall@1_interval"][1]
    assert photos["by_category"]
    assert found["search_clicks"]["click_share"] == round(10 / 30, 4)
    assert found["search_clicks"]["rank"]["median"] == 2.0
    assert found["reviews"][0]["accepted"] == 0.75
    text = words("--sample", "60")
    assert "60 photos of" in text
    assert "30 searches of 10 visitors" in text
    assert "33.3% led to a click" in text
    assert "20 decisions: 75.0% accepted, 25.0% corrected, 0.0% rejected" in text
    assert "(simulated): visitors own" in text
    assert Embedding.objects.count() == before
    encoder_releases.reset()
