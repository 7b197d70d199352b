"""'Select all' in a shop whose product list depends on the request: never a product the person did not see."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from demo_shop.models import Product
from shopvision import jobs
from shopvision.admin import classify
from shopvision.catalogue.models import CatalogueEntry
from shopvision.classification.models import Prediction
from shopvision.exceptions import InvalidRequest
from shopvision.jobs import Job, JobItem
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


def chosen(request: HttpRequest, modeladmin: Any = PRODUCTS) -> set[str]:
    """Titles of the products that the job would take."""
    seen = modeladmin.get_queryset(request)
    keys = list(classify.selected(modeladmin, request, seen).keys())
    assert len(keys) == len(set(keys))
    return set(Product.objects.filter(pk__in=keys).values_list("title", flat=True))


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


@pytest.mark.parametrize(
    "rule",
    [
        by_host,
        by_site,
        by_session,
        by_site_or_another,
        by_thread,
        by_permission,
        lambda request, rows: rows.distinct(),
        lambda request, rows: rows.order_by("-title"),
    ],
)
def test_the_job_takes_exactly_what_the_list_shows(
    two_tenants: None, boss: Any, monkeypatch: pytest.MonkeyPatch, rule: Rule
) -> None:
    """Whatever the list depends on: the address, the site, the session, the thread, the person."""
    only(monkeypatch, rule)
    monkeypatch.setattr(_thread, "tenant", MINE, raising=False)
    request = asked_by(boss, site=MINE, session={"tenant": MINE})
    shown = set(rule(request, Product.objects.all()).values_list("title", flat=True))
    assert chosen(request) == shown != set()


def test_nothing_shown_is_nothing_chosen(
    two_tenants: None, boss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, lambda request, rows: rows.none())
    with pytest.raises(InvalidRequest, match="at least one product"):
        chosen(asked_by(boss))


def test_our_own_list_keeps_keys_of_products(
    two_tenants: None, boss: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = admin.site._registry[CatalogueEntry]
    first, second = Product.objects.order_by("pk")[:2]
    entry = CatalogueEntry.objects.create(source=SOURCE, object_id=str(second.pk))
    CatalogueEntry.objects.create(source=SOURCE, object_id=str(first.pk))
    monkeypatch.setattr(
        type(ours), "get_queryset", lambda self, request: CatalogueEntry.objects.filter(pk=request.seen)
    )
    assert chosen(asked_by(boss, seen=entry.pk), ours) == {second.title}


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
    answer = client.post(SHOP, {**sent, "confirmed": "1"})
    job = Job.objects.get(kind="classify")
    assert answer.headers["Location"] == reverse("admin:shopvision_job_change", args=[job.pk])
    assert (job.state, job.total, job.done) == (Job.State.DONE, UNLABELLED, UNLABELLED)
    keys = set(Prediction.objects.values_list("entry__object_id", flat=True))
    assert keys == {str(one.pk) for one in classified[LABELLED:]}


def test_a_confirmation_sent_twice_starts_one_job(
    client: Client, classified: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs.runner, "on_start", [])  # no worker takes it
    client.force_login(person("ann", "view_product", "change_product", "classify_products"))
    sent = {"action": classify.NAME, "target": "category", "error:category": "", "confirmed": "1"}
    some = {**sent, ACTION_CHECKBOX_NAME: [str(one.pk) for one in classified[:3]]}
    others = {**sent, ACTION_CHECKBOX_NAME: [str(one.pk) for one in classified[1:4]]}
    for form in (some, some, others):
        client.post(SHOP, form)
    assert sorted(Job.objects.values_list("total", flat=True)) == [3, 3]
    assert JobItem.objects.count() == 6
