from __future__ import annotations

from typing import Any

import pytest

from demo_shop.models import Product
from shopvision import jobs
from shopvision.classification import selection
from shopvision.classification.models import ClassifierRelease, Prediction
from shopvision.classification.selection import selected
from shopvision.exceptions import InvalidRequest
from tests.classification.conftest import SOURCE, TARGET, shelf
from tests.factories import ArticleFactory

pytestmark = pytest.mark.django_db


def keys(params: dict[str, Any], cursor: dict[str, Any] | None = None) -> list[str]:
    return [key for page in selected(params).pages(cursor or {}) for key in page.keys]


def test_a_whole_catalogue_is_walked_by_key_and_goes_on_where_it_stopped(
    labelled: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "PAGE", 5)
    everything = [str(one.pk) for one in labelled]
    pages = list(selected({"source": SOURCE}).pages({}))
    assert [len(page.keys) for page in pages] == [5, 5, 5, 5, 4]
    assert keys({"source": SOURCE}) == everything
    assert keys({"source": SOURCE}, pages[1].cursor) == everything[10:]
    assert selected({"source": SOURCE}).count() == 24


def test_keys_that_are_no_numbers_are_walked_too(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "PAGE", 2)
    made = {str(ArticleFactory().pk) for _ in range(5)}
    assert set(keys({"source": "testshop.article"})) == made


def test_picked_products_are_worked_on_once_and_resumed(
    labelled: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "PAGE", 2)
    picked = [str(one.pk) for one in labelled[:5]]
    params = {"source": SOURCE, "refs": [*picked, picked[0]]}
    assert keys(params) == picked
    assert keys(params, {"after": 4}) == picked[4:]


def test_chosen_products_are_walked_in_the_order_of_choice_and_resumed(
    trained: ClassifierRelease, labelled: list[Product], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "PAGE", 2)
    picked = [str(labelled[place].pk) for place in (7, 2, 5, 0, 9)]
    params = {"source": SOURCE, "chosen": 5, "target": TARGET, "acceptable_error": None}
    job = jobs.start("classify", params, items=iter(picked), wake=False)
    assert job.total == job.params["chosen"] == 5
    pages = list(selected(job.params, job.pk).pages({}))
    assert [page.keys for page in pages] == [picked[:2], picked[2:4], picked[4:]]
    again = selected(job.params, job.pk).pages(pages[0].cursor)
    assert [page.keys for page in again] == [picked[2:4], picked[4:]]


def test_what_changes_in_the_shop_after_the_choice_does_not_change_the_choice(
    trained: ClassifierRelease, labelled: list[Product]
) -> None:
    picked = [str(one.pk) for one in labelled[:8]]
    params = {"source": SOURCE, "chosen": 8, "target": TARGET, "acceptable_error": None}
    job = jobs.start("classify", params, items=picked, wake=False)
    Product.objects.filter(pk=picked[7]).update(category=shelf("blue"))  # it left the list meanwhile
    jobs.run(job)
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 8)
    assert set(Prediction.objects.values_list("entry__object_id", flat=True)) == set(picked)


@pytest.mark.parametrize(
    "params",
    [
        {"source": 5},
        {"source": SOURCE, "refs": "12"},
        {"source": SOURCE, "refs": [1]},
        {"source": SOURCE, "refs": ["1"] * 1001},
    ],
)
def test_nonsense_is_refused_in_words(db: None, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        selected(params)
    assert caught.value.code == "invalid_selection"
