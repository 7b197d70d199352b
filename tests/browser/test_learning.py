"""The learning loop's pages in a real browser: a ranker, an experiment, and what was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from shopvision import jobs
from shopvision.ranking import experiments, serving
from shopvision.ranking.models import ExperimentCount, RankerRelease
from shopvision.ranking.simulation import simulate
from tests.browser.test_admin import full_shot, sign_in
from tests.browser.test_storefront import accessible, css, violations, wait
from tests.ranking.learning import catalogue

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture
def office(live_server: Any, transactional_db: None, data_dir: Path) -> Iterator[str]:
    """Where the shop answers; a ranker was trained on made-up visitors, and an experiment runs."""
    serving.forget()
    catalogue(80)
    simulate(visitors=100, days=30)
    jobs.run(jobs.start("train_ranker", {"kind": "linear", "force": True}, wake=False))
    row = experiments.start("autumn", holdout=0.2)
    for arm, seen, clicks in (("own", 2400, 240), ("live", 9600, 1560)):
        for outcome, count in (("seen", seen), ("click", clicks)):
            ExperimentCount.objects.create(
                experiment=row, arm=arm, outcome=outcome, count=count, day=timezone.now().date()
            )
    yield str(live_server.url)
    serving.forget()


def test_a_ranker_and_an_experiment_are_read_and_ended(chromium: Any, office: str, artefacts: Path) -> None:
    sign_in(chromium, office)
    chromium.get(office + "/admin/shopvision/rankerrelease/")
    assert "Listings are ordered by ranker@" in chromium.page_source
    full_shot(chromium, artefacts / "admin-rankers.png")
    assert accessible(chromium) == []
    chromium.get(office + f"/admin/shopvision/rankerrelease/{RankerRelease.objects.get().pk}/change/")
    for words in ("What it goes by", "Off-policy estimate", "Position bias", "Gain over each"):
        assert words in chromium.page_source
    full_shot(chromium, artefacts / "admin-ranker.png")
    assert accessible(chromium) == []
    css(chromium, ".shopvision-buttons button").click()
    assert "The untrained blend is live." in css(chromium, ".messagelist").text

    chromium.get(office + "/admin/shopvision/experiment/")
    full_shot(chromium, artefacts / "admin-experiments.png")
    assert accessible(chromium) == []
    css(chromium, "#content-main a[href*='/change/']").click()
    assert "autumn" in css(chromium, "#content").text
    full_shot(chromium, artefacts / "admin-experiment.png")
    assert accessible(chromium) == []
    css(chromium, "form[action*='/stop/'] button").click()
    wait(chromium, "document.querySelector('.shopvision-state-stopped') !== null")
    assert violations(chromium) == []
    assert not experiments.Experiment.objects.filter(state="running").exists()
