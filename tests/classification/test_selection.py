from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from demo_shop.models import Product
from shopvision import jobs
from shopvision.catalogue.models import CatalogueEntry
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


def test_the_shops_own_filter_is_resolved_in_the_worker(
    trained: ClassifierRelease, labelled: list[Product], reviewer: Any
) -> None:
    """What the list shows under this query, by the admin's own filters and search; pages do not count."""
    red = shelf("red").pk
    Product.objects.filter(pk=labelled[0].pk).update(title="needle")
    base = {"source": SOURCE, "site": "admin", "user": reviewer.pk}
    by_filter = {**base, "query": f"category__id__exact={red}&p=1&all="}
    assert keys(by_filter) == [str(one.pk) for one in labelled[:8]]
    assert keys({**base, "query": "q=needle"}) == [str(labelled[0].pk)]
    job = jobs.start("classify", {**by_filter, "target": TARGET, "acceptable_error": None}, wake=False)
    assert job.total == 8
    Product.objects.filter(pk=labelled[7].pk).update(category=shelf("blue"))  # it left the filter meanwhile
    jobs.run(job)
    job.refresh_from_db()
    assert (job.state, job.done) == ("done", 7)
    assert Prediction.objects.count() == 7


def test_our_own_list_of_entries_can_be_the_selection(labelled: list[Product], reviewer: Any) -> None:
    CatalogueEntry.objects.filter(object_id=str(labelled[3].pk)).update(title="a needle")
    params = {
        "source": SOURCE,
        "site": "admin",
        "query": "q=needle",
        "user": reviewer.pk,
        "model": "shopvision.catalogueentry",
    }
    assert keys(params) == [str(labelled[3].pk)]


def test_a_filter_is_only_as_wide_as_its_user_may_look(labelled: list[Product]) -> None:
    params = {"source": SOURCE, "site": "admin", "query": ""}
    staff = get_user_model().objects.create_user("stan", is_staff=True)
    with pytest.raises(InvalidRequest) as caught:
        selected({**params, "user": staff.pk})
    assert caught.value.code == "forbidden"
    staff.user_permissions.add(Permission.objects.get(codename="view_product"))
    assert selected({**params, "user": staff.pk}).count() == 24
    get_user_model().objects.update(is_active=False)
    with pytest.raises(InvalidRequest, match="not active"):
        selected({**params, "user": staff.pk})


@pytest.mark.parametrize(
    "params",
    [
        {"source": 5},
        {"source": SOURCE, "refs": "12"},
        {"source": SOURCE, "refs": [1]},
        {"source": SOURCE, "site": "no such site"},
        {"source": SOURCE, "site": "admin", "model": "auth.User"},
        {"source": SOURCE, "site": "admin", "model": "nonsense"},
        {"source": SOURCE, "site": "admin", "query": "no_such_field__exact=1"},
    ],
)
def test_nonsense_is_refused_in_words(db: None, reviewer: Any, params: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        selected({"user": reviewer.pk, **params}).count()
    assert caught.value.code == "invalid_selection"
