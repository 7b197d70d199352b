"""'Select all' in a shop whose product list depends on the request: never a product the person did not see."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from demo_shop.models import Product
from shopvision import jobs
from shopvision.admin import classify
from shopvision.catalogue.models import CatalogueEntry
from shopvision.classification import selection
from shopvision.classification.models import Prediction
from shopvision.exceptions import InvalidRequest
from shopvision.jobs import Job
from tests.classified import LABELLED, SOURCE, UNLABELLED, person
from tests.factories import DemoProductFactory

pytestmark = pytest.mark.django_db
SHOP = "/admin/demo_shop/product/"
PRODUCTS = admin.site._registry[Product]
MINE, THEIRS = "mine", "theirs"
_thread = threading.local()
Rule = Callable[[HttpRequest, Any], Any]


def only(monkeypatch: pytest.MonkeyPatch, rule: Rule) -> None:
    """The shop's product list shows what this rule leaves of all products."""
    monkeypatch.setattr(PRODUCTS, "get_queryset", lambda request: rule(request, Product.objects.all()))


def asked_by(user: Any, **attributes: Any) -> HttpRequest:
    """What the person's 'select all' sends to the shop's list, by its own host."""
    request = RequestFactory().post(
        SHOP + "?q=thing", {"select_across": "1"}, headers={"host": "mine.shop.example:8443"}, secure=True
    )
    request.user = user
    for name, value in attributes.items():
        setattr(request, name, value)
    return request


def chosen(request: HttpRequest) -> dict[str, Any]:
    """The params of the job, as the database gives them back."""
    seen = PRODUCTS.get_queryset(request)
    kept: dict[str, Any] = json.loads(json.dumps(classify.selected(PRODUCTS, request, seen)))
    return kept


def titles(params: dict[str, Any]) -> set[str]:
    found = {key for page in selection.selected(params).pages({}) for key in page.keys}
    return set(Product.objects.filter(pk__in=found).values_list("title", flat=True))


@pytest.fixture
def boss(django_user_model: Any) -> Any:
    return django_user_model.objects.create_superuser("boss", "b@example.org", "x")


@pytest.fixture
def two_tenants(db: None) -> None:
    for number in range(3):
        DemoProductFactory(title=f"{MINE} thing {number}", active=True)
        DemoProductFactory(title=f"{THEIRS} thing {number}", active=False)


def by_host(request: HttpRequest, rows: Any) -> Any:
    """Also by scheme and path, which the job keeps, too."""
    known = request.build_absolute_uri() == f"https://mine.shop.example:8443{SHOP}?q=thing"
    return rows.filter(title__startswith=request.get_host().split(".")[0]) if known else rows.none()


def by_site_where_there_is_one(request: HttpRequest, rows: Any) -> Any:
    return rows.filter(title__startswith=request.site) if hasattr(request, "site") else rows


def by_site(request: HttpRequest, rows: Any) -> Any:
    return rows.filter(title__startswith=request.site)  # type: ignore[attr-defined]


def by_session(request: HttpRequest, rows: Any) -> Any:
    return rows.filter(title__startswith=request.session["tenant"])


def by_site_or_another(request: HttpRequest, rows: Any) -> Any:
    """Without a site as many products, but others."""
    return rows.filter(title__startswith=getattr(request, "site", THEIRS))


def by_thread(request: HttpRequest, rows: Any) -> Any:
    """As packages for tenants do: a middleware puts it there, and takes it away after the answer."""
    tenant = getattr(_thread, "tenant", None)
    return rows.filter(title__startswith=tenant) if tenant else rows


def by_permission(request: HttpRequest, rows: Any) -> Any:
    return rows if request.user.is_superuser else rows.filter(active=True)  # type: ignore[union-attr]


@pytest.mark.parametrize("rule", [by_host, by_permission, lambda request, rows: rows.distinct()])
def test_a_list_that_can_be_made_again_is_kept_as_its_filter(
    two_tenants: None, boss: Any, monkeypatch: pytest.MonkeyPatch, rule: Rule
) -> None:
    only(monkeypatch, rule)
    request = asked_by(boss)
    kept = chosen(request)
    assert (kept["query"], kept["url"]) == ("q=thing", f"https://mine.shop.example:8443{SHOP}")
    assert not {"refs", "shown"} & kept.keys()
    assert titles(kept) == set(rule(request, Product.objects.all()).values_list("title", flat=True))


@pytest.mark.parametrize(
    "rule", [by_site_where_there_is_one, by_site, by_session, by_site_or_another, by_thread]
)
def test_a_list_that_only_its_request_can_make_is_kept_as_what_was_seen(
    two_tenants: None, boss: Any, monkeypatch: pytest.MonkeyPatch, rule: Rule
) -> None:
    only(monkeypatch, rule)
    monkeypatch.setattr(_thread, "tenant", MINE, raising=False)
    kept = chosen(asked_by(boss, site=MINE, session={"tenant": MINE}))
    assert kept.keys() == {"source", "shown"}
    monkeypatch.undo()  # the worker knows no tenant
    assert titles(kept) == {f"{MINE} thing {number}" for number in range(3)}


def test_a_time_zone_of_the_request_does_not_widen_the_list(
    two_tenants: None, boss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rule(request: HttpRequest, rows: Any) -> Any:
        return rows.filter(active=timezone.get_current_timezone_name() == "Pacific/Apia")

    only(monkeypatch, rule)
    with timezone.override("Pacific/Apia"):
        assert len(chosen(asked_by(boss))["shown"]) == 3


def test_too_many_to_keep_are_refused_in_words(
    two_tenants: None, boss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, by_site)
    monkeypatch.setattr(classify, "MAX_SHOWN", 2)
    with pytest.raises(InvalidRequest, match="Choose 2 products at most"):
        chosen(asked_by(boss, site=MINE))
    monkeypatch.setattr(selection, "MAX_SHOWN", 2)
    with pytest.raises(InvalidRequest, match="2 keys at most, not 3"):
        selection.selected({"source": SOURCE, "shown": ["1", "2", "3"]})


def test_our_own_list_keeps_keys_of_products(
    two_tenants: None, boss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = admin.site._registry[CatalogueEntry]
    entry = CatalogueEntry.objects.create(source=SOURCE, object_id="77")
    CatalogueEntry.objects.create(source=SOURCE, object_id="78")
    monkeypatch.setattr(
        type(ours), "get_queryset", lambda self, request: CatalogueEntry.objects.filter(pk=request.seen)
    )
    request = asked_by(boss, seen=entry.pk)
    assert classify.selected(ours, request, ours.get_queryset(request)) == {"source": SOURCE, "shown": ["77"]}


def test_a_shop_whose_code_breaks_in_the_worker_fails_the_job_in_words(
    two_tenants: None, boss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = chosen(asked_by(boss))
    only(monkeypatch, by_session)
    with pytest.raises(InvalidRequest, match="to a background job: AttributeError") as caught:
        selection.selected(kept)
    assert caught.value.code == "invalid_selection"


def test_a_job_takes_only_what_the_person_saw(
    client: Client, classified: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the list over the confirmation to the suggestions, by a list that a session filters."""

    def rule(request: HttpRequest, rows: Any) -> Any:
        return rows.filter(category=None) if request.session else rows

    only(monkeypatch, rule)
    client.force_login(person("ann", "view_product", "change_product", "classify_products"))
    sent = {
        "action": classify.NAME,
        ACTION_CHECKBOX_NAME: [str(classified[-1].pk)],
        "select_across": "1",
        "target": "category",
        "error:category": "",
    }
    page = client.post(SHOP, sent).content.decode()
    assert f"{UNLABELLED} products" in page
    assert "all that the list showed" in page
    answer = client.post(SHOP, {**sent, "confirmed": "1"})
    job = Job.objects.get(kind="classify")
    assert answer.headers["Location"] == reverse("admin:shopvision_job_change", args=[job.pk])
    assert (job.state, job.total, job.done) == (jobs.S.DONE, UNLABELLED, UNLABELLED)
    keys = set(Prediction.objects.values_list("entry__object_id", flat=True))
    assert keys == {str(one.pk) for one in classified[LABELLED:]}
