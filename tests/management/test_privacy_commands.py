from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from shopvision import behaviour
from shopvision.events.models import Event, ProductCount
from shopvision.privacy.consent import subject_of
from shopvision.privacy.models import PrivacyLog
from tests.visitors import again, visitor

pytestmark = pytest.mark.django_db


def run(name: str, *args: str) -> Any:
    out = io.StringIO()
    call_command(name, *args, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


@pytest.fixture
def key(settings: Any) -> str:
    """Of a visitor of whom one event is kept."""
    settings.SHOPVISION = {**settings.SHOPVISION, "PRIVACY_MODE": "consent"}
    request = visitor("improvement")
    behaviour.record(again(request), "view", "demo_shop.product:1")
    return subject_of(again(request)).visitor


def test_purge_counts_then_deletes(key: str) -> None:
    Event.objects.update(at=timezone.now() - timedelta(days=91))
    assert run("shopvision_purge", "--dry-run")["counts"]["events"] == 1
    assert Event.objects.count() == 1
    assert run("shopvision_purge")["counts"]["events"] == 1
    assert Event.objects.count() == 0
    assert PrivacyLog.objects.get().source == "command"


def test_erase_counts_then_forgets(key: str) -> None:
    assert run("shopvision_erase", "--visitor", key, "--dry-run")["counts"] == {
        "events": 1,
        "photo_queries": 0,
        "consents": 1,
    }
    assert Event.objects.count() == 1
    answer = run("shopvision_erase", "--visitor", key)
    assert Event.objects.count() == 0
    assert PrivacyLog.objects.filter(pk=answer["receipt"]).exists()


def test_a_subject_must_be_named() -> None:
    for name in ("shopvision_erase", "shopvision_export"):
        with pytest.raises(CommandError, match="name somebody"):
            run(name)


def test_export_counts_then_writes(key: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.json"
    assert run("shopvision_export", "--visitor", key, "--dry-run")["counts"]["events"] == 1
    call_command("shopvision_export", "--visitor", key, "--output", str(file))
    assert json.loads(file.read_text())["tables"]["events"][0]["kind"] == "view"


def test_views_are_exported_with_noise_and_say_so(indexed_shop: list[Any]) -> None:
    ref = str(behaviour.ref_of(indexed_shop[0]))
    day = timezone.now().date() - timedelta(days=1)
    ProductCount.objects.create(day=day, product=ref, kind="view", count=1000)
    found = run("shopvision_export", "--views", "2")
    assert (found["epsilon"], found["scale"]) == (1.0, 1.0)
    assert len(found["views"]) == 2 * len(indexed_shop)  # zeros get noise too
    (row,) = (one for one in found["views"] if (one["product"], one["day"]) == (ref, day.isoformat()))
    assert row["visitors"] == pytest.approx(1000, abs=40)  # e^-40 is never
    assert {one["visitors"] for one in found["views"]} != {0, row["visitors"]}
