"""Commands of the learning loop: simulate, train, promote and roll back."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from shopvision.events.models import Event
from shopvision.privacy.models import PrivacyLog
from shopvision.ranking import ranker_releases
from shopvision.ranking.models import Experiment, RankerRelease
from shopvision.ranking.rankers.base import PriorRanker
from tests.ranking.learning import catalogue, did

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(data_dir: Path) -> None:
    """No model of another test."""


def run(*words: str) -> Any:
    out = io.StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.mark.slow
def test_from_made_up_visitors_to_a_ranker_and_back() -> None:
    catalogue(60)
    written = run("shopvision_simulate", "--visitors", "90", "--days", "30")["written"]
    assert written == Event.objects.count() > 1000
    assert Experiment.objects.get().simulated
    with pytest.raises(CommandError, match="simulated events are there already"):
        run("shopvision_simulate")
    answer = run("shopvision_train", "--ranker", "--kind", "linear", "--force", "--seed", "3")
    assert (answer["state"], answer["kind"]) == ("live", "linear")
    assert answer["data"]["simulated"] == written
    found = run("shopvision_models")["rankers"]
    assert [(one["id"], one["state"]) for one in found] == [(answer["release"], "live")]
    assert run("shopvision_models", "--rollback-ranker")["rankers"][0]["state"] == "retired"
    with pytest.raises(CommandError, match="no trained ranker is live"):
        run("shopvision_models", "--rollback-ranker")
    assert PrivacyLog.objects.filter(source="simulated").count() == 2
    assert run("shopvision_simulate", "--forget", "--visitors", "0")["forgotten"] == written
    assert not Experiment.objects.exists()
    assert not PrivacyLog.objects.exists()


def test_a_shop_with_visitors_gets_no_made_up_ones_and_too_few_train_nothing() -> None:
    first, *_ = catalogue(3)
    did("somebody", first)
    with pytest.raises(CommandError, match="real visitors"):
        run("shopvision_simulate")
    with pytest.raises(CommandError, match="1 acts"):
        run("shopvision_train", "--ranker")
    with pytest.raises(CommandError, match="--kind of rankers is auto, linear"):
        run("shopvision_train", "--ranker", "--kind", "prototypes")
    with pytest.raises(CommandError, match="--kind of classifiers is auto, prototypes"):
        run("shopvision_train", "--kind", "mlp")
    with pytest.raises(CommandError, match="orders all catalogues"):
        run("shopvision_train", "--ranker", "--target", "category")


def test_a_ranker_is_promoted_by_its_number() -> None:
    name, digest = ranker_releases.storage.store(
        ranker_releases.RANKERS, PriorRanker({"recent": 1.0}).to_bytes()
    )
    row = RankerRelease.objects.create(
        kind="linear", artefact=name, digest=digest, snapshot="x", learned_until=timezone.now()
    )
    assert run("shopvision_models", "--promote-ranker", str(row.pk))["rankers"][0]["state"] == "live"
    with pytest.raises(CommandError, match="no ranker 99"):
        run("shopvision_models", "--promote-ranker", "99")


@pytest.mark.parametrize("nonsense", [("--visitors", "0"), ("--days", "-1")])
def test_nobody_and_never_cannot_be_simulated(nonsense: tuple[str, str]) -> None:
    with pytest.raises(CommandError, match="at least one visitor and one day"):
        run("shopvision_simulate", *nonsense)
