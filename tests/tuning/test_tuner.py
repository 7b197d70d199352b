from __future__ import annotations

from typing import Any

import pytest

from shopvision import conf, listings
from shopvision.exceptions import InvalidRequest
from shopvision.indexing import encoder_releases
from shopvision.indexing.pipeline import drain_outbox
from shopvision.tuning import jobs
from shopvision.tuning.promotion import rollback
from shopvision.tuning.tuner import tune
from tests.factories import ArticleFactory
from tests.search.asking import titles

pytestmark = pytest.mark.django_db


@pytest.fixture
def photographed(live_release: Any) -> list[Any]:
    """Fourteen articles with three views each."""
    articles = [ArticleFactory(views=3) for _ in range(14)]
    drain_outbox()
    return articles


def test_tuning_goes_live_only_if_it_finds_more_and_rolls_back(photographed: list[Any]) -> None:
    before = encoder_releases.live().row
    row = tune(force=True)
    assert row.state == "live"
    assert row.metrics["recipe"]["kind"] == "fitted"
    assert 0 <= row.metrics["recall@1"] <= 1
    assert row.background["quantiles"]
    assert encoder_releases.live().row.pk == row.pk
    with photographed[0].pictures.first().file.open("rb") as file:
        assert titles(listings.search_by_photo(file.read()))[0] == photographed[0].headline
    assert rollback().pk == before.pk
    assert encoder_releases.live().index.count() == 42


def test_tuning_twice_gives_the_same_release(photographed: list[Any]) -> None:
    first = tune(force=True)
    assert tune(force=True).pk == first.pk


def test_candidates_do_not_pile_up(photographed: list[Any]) -> None:
    first = tune(dry_run=True)
    ArticleFactory(views=3)
    drain_outbox()
    second = tune(dry_run=True)
    assert first.pk != second.pk
    first.refresh_from_db()
    assert (first.state, second.state) == ("retired", "candidate")


def test_tuning_that_finds_no_more_is_set_aside_with_its_figures(
    photographed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from shopvision.tuning import holdout, tuner

    monkeypatch.setattr(tuner, "judge", lambda *_, **__: holdout.Judgement(0.4, 0.5, 10, "photos"))
    row = tune()
    assert row.state == "failed"
    assert row.metrics["compared_with"]["recall@1"] == 0.5
    assert encoder_releases.live().row.pk != row.pk
    *_, last = jobs.tune({}, {})
    assert "was not promoted" in str(last.message)


def test_too_few_photos_cannot_be_tuned_on(indexed_shop: list[Any]) -> None:
    with pytest.raises(InvalidRequest, match="12 photos"):
        tune()


def test_a_damaged_model_file_is_noticed_and_read_anew(photographed: list[Any]) -> None:
    digest = str(encoder_releases.live().row.projection_id)
    path = next(conf.DATA_DIR.glob("artefacts/*"), None)
    assert path is not None
    whole = encoder_releases.artefact(digest)
    (conf.DATA_DIR / "artefacts" / digest).write_bytes(b"damaged")
    assert encoder_releases.artefact(digest) == whole
