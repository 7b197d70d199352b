from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from shopvision.events import tracking
from shopvision.events.models import Event, ProductCount
from shopvision.privacy.consent import subject_of
from shopvision.privacy.consent_changes import decide
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
    tracking.record(again(request), "view", "demo_shop.product:1")
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


@pytest.mark.usefixtures("consent_mode")
def test_of_nobody_nothing_is_erased_and_no_receipt_pretends(django_user_model: Any) -> None:
    for key in ("4711", "no key", "9" * 30):
        for name in ("shopvision_erase", "shopvision_export"):
            with pytest.raises(CommandError, match="there is no user with the key"):
                run(name, "--user", key)
    ann = django_user_model.objects.create_user("ann")
    for whose in (("--user", str(ann.pk)), ("--visitor", "nobody has this key")):
        answer = run("shopvision_erase", *whose)
        assert (answer["receipt"], set(answer["counts"].values())) == (None, {0})
    assert not PrivacyLog.objects.exists()


@pytest.mark.usefixtures("consent_mode")
def test_what_a_deleted_user_left_behind_can_still_be_erased(django_user_model: Any) -> None:
    ann = django_user_model.objects.create_user("ann")
    request = visitor()
    request.user = ann
    decide(request, ["improvement"], source="page")
    tracking.record(request, "view", "demo_shop.product:1")
    key = str(ann.pk)
    django_user_model.objects.filter(pk=ann.pk)._raw_delete("default")  # behind our back: no signal
    assert run("shopvision_erase", "--user", key, "--dry-run")["counts"]["events"] == 1
    answer = run("shopvision_erase", "--user", key)
    assert answer["counts"]["events"] == 1
    assert PrivacyLog.objects.filter(pk=answer["receipt"]).exists()


def test_a_users_key_is_taken_in_any_spelling(key: str, django_user_model: Any) -> None:
    ann = django_user_model.objects.create_user("ann")
    request = visitor()
    request.user = ann
    decide(request, ["improvement"], source="page")
    tracking.record(request, "view", "demo_shop.product:1")
    assert run("shopvision_erase", "--user", f"0{ann.pk}")["counts"]["events"] == 1


def test_export_counts_then_writes(key: str, tmp_path: Path) -> None:
    file = tmp_path / "copy.json"
    assert run("shopvision_export", "--visitor", key, "--dry-run")["counts"]["events"] == 1
    call_command("shopvision_export", "--visitor", key, "--output", str(file))
    copy = json.loads(file.read_text())
    assert (copy["tables"]["events"][0]["kind"], copy["visitor"]) == ("view", key)


def test_views_are_exported_with_noise_and_say_so(indexed_shop: list[Any]) -> None:
    ref = str(tracking.ref_of(indexed_shop[0]))
    day = timezone.now().date() - timedelta(days=1)
    ProductCount.objects.create(day=day, product=ref, kind="view", count=1000)
    ProductCount.objects.create(day=day - timedelta(days=1), product=ref, kind="click", count=1)
    found = run("shopvision_export", "--views", "2")
    assert (found["epsilon"], found["scale"]) == (1.0, 1.0)
    assert len(found["views"]) == 2 * len(indexed_shop)  # zeros get noise too
    (row,) = (one for one in found["views"] if (one["product"], one["day"]) == (ref, day.isoformat()))
    assert row["visitors"] == pytest.approx(1000, abs=40)  # e^-40 is never
    assert {one["visitors"] for one in found["views"]} != {0, row["visitors"]}


def test_an_export_that_cannot_be_written_or_makes_no_sense_says_so(key: str, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written: No such file or directory"):
        run("shopvision_export", "--visitor", key, "--output", str(tmp_path / "nowhere" / "copy.json"))
    with pytest.raises(CommandError, match="1 or more"):
        run("shopvision_export", "--views", "-5")
