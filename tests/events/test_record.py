from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template import Context, Template
from django.test import Client
from django.urls import reverse

from shopvision import metrics
from shopvision.events import session_history, tracking, writer
from shopvision.events.models import Event, ProductCount
from shopvision.events.record import NewEvent, Recorded, record_events
from shopvision.privacy import consent
from shopvision.types import ProductRef, Subject
from tests.factories import ArticleFactory, DemoProductFactory
from tests.testshop import signals
from tests.visitors import FIREFOX, again, agree, personal_rows, visitor

pytestmark = pytest.mark.django_db
MUG = ProductRef("demo_shop.product", "7")
API = "/vision/api/v1/"
TAGS = Template(
    "{% load shopvision %}{% record_view product %}{% record_listing products as shown %}"
    "{{ shown.attributes }}{% shown_item shown product %}"
)


def every_path(client: Client, product: Any, request: Any) -> None:
    """All ways in which something of ours could come to write about a visitor."""
    for path in ("/", "/?q=thing", product.get_absolute_url(), "/vision/photo/", "/vision/privacy/"):
        assert client.get(path).status_code == 200
    with product.image.open("rb") as file:
        photo = SimpleUploadedFile("p.jpg", file.read())
    assert client.post(API + "search/", {"image": photo}).status_code == 200
    photo.seek(0)
    assert client.post("/vision/photo/", {"image": photo}).status_code == 200
    event = {"id": "one-of-the-browser", "kind": "view", "product": str(MUG)}
    client.post(API + "events/", {"events": [event]}, content_type="application/json")
    TAGS.render(Context({"request": request, "product": product, "products": [product]}))
    tracking.record(request, "basket_add", product)
    tracking.record_listing(request, [product])
    record_events([NewEvent("rate", MUG, value=4.0)], request=request)
    record_events([NewEvent("purchase", MUG)], subject=Subject("1"))
    article = ArticleFactory()
    line = SimpleNamespace(product=article, quantity=2)
    order = SimpleNamespace(pk=5, lines=[line], user=None)
    signals.article_viewed.send(None, product=article, request=request)
    signals.order_paid.send(None, order=order, request=request)
    signals.order_paid.send(None, order=order)


@pytest.mark.usefixtures("consent_mode")
def test_without_consent_no_path_leads_to_a_row(
    client: Client, indexed_shop: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    boss = get_user_model().objects.create_superuser("boss", "b@example.org", "x")
    with django_capture_on_commit_callbacks(execute=True):
        every_path(client, indexed_shop[0], visitor())
        client.force_login(boss)
        every_path(client, indexed_shop[0], visitor())
        client.post(reverse("admin:shopvision_event_changelist"), {"action": "delete_selected"})
        assert client.get(reverse("admin:shopvision_event_changelist")).status_code == 200
        assert client.get("/admin/shopvision/event/add/").status_code == 403
    assert set(personal_rows().values()) == {0}


@pytest.mark.usefixtures("consent_mode")
def test_with_consent_every_path_leads_to_a_row(
    client: Client, indexed_shop: list[Any], django_capture_on_commit_callbacks: Any
) -> None:
    """The same paths, so that the test above cannot pass because they are broken."""
    agree(client)
    with django_capture_on_commit_callbacks(execute=True):
        every_path(client, indexed_shop[0], visitor("personalisation", "improvement"))
    kinds = dict.fromkeys(Event.objects.values_list("kind", flat=True))
    wanted = "impression view search photo_search basket_add rate purchase"
    assert set(kinds) == set(wanted.split())
    assert Event.objects.filter(product__startswith="testshop.article").count() == 2
    assert Event.objects.filter(kind="photo_search").count() == 2


@pytest.mark.parametrize("name", ["off", "session"])
def test_in_modes_off_and_session_there_is_nothing_personal_in_the_database(
    client: Client, indexed_shop: list[Any], mode: Callable[[str], None], name: str
) -> None:
    mode(name)
    agree(client)
    request = visitor("personalisation", "improvement", "marketing")
    every_path(client, indexed_shop[0], request)
    rows = personal_rows()
    counted = rows.pop("shopvision.ProductCount")
    assert set(rows.values()) == {0}
    assert bool(counted) == (name == "session")
    assert (consent.SESSION in request.session) == (name == "session")


def test_in_session_mode_interest_lives_in_the_session_and_is_bounded(mode: Callable[[str], None]) -> None:
    mode("session")
    request = visitor()
    for number in range(session_history.MOST_PRODUCTS + 5):
        tracking.record(again(request), "view", f"demo_shop.product:{number}")
    kept = request.session[consent.SESSION]["i"]
    assert [row[0].rpartition(":")[2] for row in kept] == [str(n) for n in range(5, 25)]
    assert Event.objects.count() == 0
    assert ProductCount.objects.count() == 25


def test_who_refused_in_session_mode_is_not_remembered(mode: Callable[[str], None]) -> None:
    mode("session")
    request = visitor("marketing")  # decided, and not for personalisation
    assert tracking.record(again(request), "view", MUG) == Recorded(0, 1)
    assert consent.SESSION not in request.session
    assert ProductCount.objects.count() == 0


def test_agreeing_to_a_session_is_not_agreeing_to_rows(mode: Callable[[str], None]) -> None:
    mode("session")
    request = visitor("personalisation")
    mode("consent")
    assert tracking.record(again(request), "view", MUG).taken == 0


@pytest.mark.usefixtures("consent_mode")
def test_a_visitor_counts_once_a_day_for_a_products_views() -> None:
    request = visitor("improvement")
    for _ in range(3):
        tracking.record(again(request), "view", MUG)
    assert Event.objects.count() == 3
    assert [row.count for row in ProductCount.objects.all()] == [1]


@pytest.mark.usefixtures("consent_mode")
def test_marketing_alone_writes_no_event_and_personalisation_alone_no_sum() -> None:
    assert tracking.record(again(visitor("marketing")), "view", MUG).taken == 0
    assert tracking.record(again(visitor("personalisation")), "view", MUG).taken == 1
    assert ProductCount.objects.count() == 0
    assert Event.objects.get().purposes == consent.BITS["personalisation"]


@pytest.mark.usefixtures("consent_mode")
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"HTTP_USER_AGENT": "Mozilla/5.0 (compatible; Googlebot/2.1)"}, "bot"),
        ({"HTTP_SEC_PURPOSE": "prefetch;prerender"}, "prefetch"),
        ({"HTTP_PURPOSE": "prefetch"}, "prefetch"),
        ({"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_SEC_FETCH_MODE": "no-cors"}, "foreign"),
    ],
)
def test_what_no_visitor_did_is_dropped_and_counted(headers: dict[str, str], reason: str) -> None:
    request = again(visitor("improvement"), **headers)
    metrics.reset()
    assert tracking.record(request, "view", MUG) == Recorded(0, 1)
    assert metrics.snapshot()["counters"] == {f"events_{reason}": 1}


def test_outside_a_request_the_last_decision_on_record_counts(mode: Callable[[str], None]) -> None:
    mode("consent")
    user = get_user_model().objects.create_user("ann")
    request = visitor()
    request.user = user
    assert record_events([NewEvent("purchase", MUG)], subject=Subject(str(user.pk))).taken == 0
    consent_to(request, "improvement")
    assert record_events([NewEvent("purchase", MUG)], subject=Subject(str(user.pk))).taken == 1
    consent_to(request)
    assert record_events([NewEvent("purchase", MUG)], subject=Subject(str(user.pk))).taken == 0
    assert Event.objects.count() == 0  # and the withdrawal erased


def consent_to(request: Any, *purposes: str) -> None:
    from shopvision.privacy.consent_changes import decide

    decide(request, purposes, source="page")


@pytest.mark.usefixtures("consent_mode")
def test_an_order_told_twice_is_one_purchase(django_capture_on_commit_callbacks: Any) -> None:
    article, request = ArticleFactory(), visitor("improvement")
    order = SimpleNamespace(pk=9, lines=[SimpleNamespace(product=article, quantity=3)])
    for _ in range(2):
        writer.buffer.clear()  # another process hears it the second time
        with django_capture_on_commit_callbacks(execute=True):
            signals.order_paid.send(None, order=order, request=again(request))
    (row,) = Event.objects.all()
    assert (row.kind, row.value, row.product) == ("purchase", 3.0, f"testshop.article:{article.pk}")


def test_a_wrong_call_is_logged_and_breaks_nothing() -> None:
    request = visitor()
    assert tracking.record(request, "nonsense", MUG) == Recorded(0, 1)
    assert tracking.record(request, "view", "no reference") == Recorded(0, 1)
    assert tracking.record(request, "view", object()) == Recorded(0, 1)
    assert tracking.record_listing(request, [object()]).positions == {}


def test_a_broken_session_breaks_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    request = visitor()

    def down(*args: Any) -> None:
        raise ConnectionError("no session store")

    monkeypatch.setattr(type(request.session), "get", down)
    assert tracking.record(request, "view", MUG) == Recorded(0, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "buy", "product": MUG},
        {"kind": "view"},
        {"kind": "click", "product": MUG, "listing": "abc"},
        {"kind": "impression", "product": MUG, "position": -1},
        {"kind": "impression", "product": MUG, "propensity": 0.0},
        {"kind": "impression", "product": MUG, "propensity": 1.5},
        {"kind": "rate", "product": MUG, "value": float("nan")},
        {"kind": "view", "product": MUG, "key": "short"},
        {"kind": "view", "product": ProductRef("shop.product", "a\0b")},
    ],
)
def test_an_event_that_breaks_a_rule_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        NewEvent(**wrong)


def test_the_demo_pages_record_through_the_tags(client: Client, mode: Callable[[str], None]) -> None:
    mode("consent")
    products = DemoProductFactory.create_batch(3, image="")
    agree(client)
    page = client.get("/", HTTP_USER_AGENT=FIREFOX).content.decode()
    rows = Event.objects.filter(kind="impression").order_by("position")
    assert [row.product for row in rows] == [f"demo_shop.product:{one.pk}" for one in products]
    assert f'data-shopvision-listing="{rows[0].listing}"' in page
    assert f'data-shopvision-product="{rows[2].product}" data-shopvision-position="2"' in page
    assert "<script>" not in page
    client.get(products[1].get_absolute_url(), HTTP_USER_AGENT=FIREFOX)
    assert Event.objects.get(kind="view").product == rows[1].product


def test_a_list_in_session_mode_leaves_the_session_and_caches_alone(client: Client) -> None:
    DemoProductFactory.create_batch(2, image="")
    request = visitor()
    tracking.record_listing(request, ["demo_shop.product:1", "demo_shop.product:2"])
    assert not request.session.accessed
    assert not request.session.modified
    assert sum(row.count for row in ProductCount.objects.all()) == 2
