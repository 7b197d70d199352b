from __future__ import annotations

from typing import Any

import pytest
from django.core import signing
from django.db import OperationalError
from django.test import Client

from demo_shop.models import Product
from shopvision.catalogue.adapter import Catalogue
from shopvision.events import writer
from shopvision.events.models import Event
from shopvision.privacy.consent import COOKIE, FLAG, PURPOSES, SALT
from shopvision.privacy.models import ConsentRecord, PrivacyLog
from tests.visitors import agree

pytestmark = pytest.mark.django_db
API = "/vision/api/v1/"
VIEW = {"id": "made-up-by-browser-1", "kind": "view", "product": "demo_shop.product:1"}


@pytest.fixture(autouse=True)
def _consent_mode(settings: Any) -> None:
    settings.SHOPVISION = {**settings.SHOPVISION, "PRIVACY_MODE": "consent"}
    writer.buffer.clear()
    Product.objects.bulk_create([Product(pk=1, sku="the one that is viewed", title="mug")])


def report(client: Client, *events: dict[str, Any], **headers: str) -> Any:
    return client.post(API + "events/", {"events": events}, content_type="application/json", **headers)


def test_from_the_beacon_through_consent_to_a_row_to_a_copy_to_an_erasure(client: Client) -> None:
    assert report(client, VIEW).json() == {"taken": 0, "dropped": 1}
    assert Event.objects.count() == 0
    assert agree(client, "personalisation").json()["purposes"] == {
        "personalisation": True,
        "improvement": False,
        "marketing": False,
    }
    answer = report(client, VIEW)
    assert (answer.status_code, answer.json()) == (202, {"taken": 1, "dropped": 0})
    copy = client.get(API + "me/").json()
    assert copy["visitor"] == signing.loads(client.cookies[COOKIE].value, salt=SALT)["k"]
    kept = copy["tables"]
    assert {name: len(rows) for name, rows in kept.items()} == {
        "events": 1,
        "photo_queries": 0,
        "consents": 1,
    }
    (row,) = kept["events"]
    assert (row["kind"], row["product"]) == ("view", "demo_shop.product:1")
    receipt = client.delete(API + "me/").json()
    assert receipt["counts"] == {"events": 1, "photo_queries": 0, "consents": 1, "session": 1}
    assert Event.objects.count() == 0
    log = PrivacyLog.objects.get(pk=receipt["receipt"])
    assert log.counts == receipt["counts"]
    assert set(ConsentRecord.objects.values_list("subject", flat=True)) == {""}
    assert report(client, {**VIEW, "id": "made-up-by-browser-2"}).json()["taken"] == 0
    assert client.get(API + "me/").json()["tables"] == {"events": [], "photo_queries": [], "consents": []}


def test_an_event_sent_twice_is_one(client: Client) -> None:
    agree(client)
    report(client, VIEW)
    writer.buffer.clear()  # another process got the repeat
    client.session.flush()
    report(client, VIEW)
    assert Event.objects.count() == 1


def test_the_cookie_is_the_servers_and_the_flag_the_scripts(client: Client) -> None:
    cookies = agree(client).cookies
    assert cookies[COOKIE]["httponly"]
    assert not cookies[FLAG]["httponly"]
    assert (cookies[FLAG].value, cookies[COOKIE]["samesite"]) == ("1", "Lax")
    refusal = client.put(API + "consent/", {"purposes": {}}, content_type="application/json")
    assert refusal.cookies[FLAG].value == "0"
    assert refusal.json()["erased"]["counts"]["consents"] == 1


def test_a_refusal_leaves_no_row(client: Client) -> None:
    client.put(API + "consent/", {"purposes": {}}, content_type="application/json")
    assert ConsentRecord.objects.count() == PrivacyLog.objects.count() == 0
    assert client.get(API + "consent/").json()["decided"]


@pytest.mark.parametrize(("header", "signal"), [("HTTP_SEC_GPC", "gpc"), ("HTTP_DNT", "dnt")])
def test_a_browsers_refusal_counts_above_a_tick(client: Client, header: str, signal: str) -> None:
    body = {"purposes": {"personalisation": True}}
    answer = client.put(API + "consent/", body, content_type="application/json", **{header: "1"}).json()
    assert answer["signal"] == signal
    assert not any(answer["purposes"].values())
    agree(client)
    assert report(client, VIEW, **{header: "1"}).json()["taken"] == 0
    assert client.get(API + "consent/", **{header: "1"}).json()["signal"] == signal


def test_another_site_can_neither_decide_nor_read_nor_report(client: Client) -> None:
    agree(client)
    for method in (client.get, client.delete):
        assert method(API + "me/", HTTP_SEC_FETCH_SITE="cross-site").status_code == 403
    answer = client.put(
        API + "consent/", {}, content_type="application/json", HTTP_SEC_FETCH_SITE="same-site"
    )
    assert answer.status_code == 403
    assert report(client, VIEW, HTTP_SEC_FETCH_SITE="cross-site").json()["taken"] == 0


@pytest.mark.parametrize(
    "event",
    [
        {**VIEW, "kind": "nonsense"},
        {**VIEW, "id": "short"},
        {"id": "made-up-by-browser-1", "kind": "click"},
        {**VIEW, "product": "nothing"},
        {**VIEW, "listing": "zz"},
        {**VIEW, "position": -1},
    ],
)
def test_a_report_out_of_shape_is_refused_whole(client: Client, event: dict[str, Any]) -> None:
    agree(client)
    assert report(client, VIEW, event).status_code == 400
    assert Event.objects.count() == 0


def test_a_hundred_events_are_taken_and_one_more_refused(client: Client) -> None:
    agree(client)
    many = [{**VIEW, "id": f"number-{n:03}"} for n in range(101)]
    assert report(client, *many).status_code == 400
    assert report(client, *many[:100]).json()["taken"] == 100
    assert Event.objects.count() == 100


def test_events_about_products_the_shop_does_not_have_are_dropped_and_the_others_taken(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    agree(client)
    made_up = ["demo_shop.product:2", "no.such:1", "auth.user:1", "demo_shop.product:x", "testshop.article:1"]
    events = [{**VIEW, "id": f"made-up-{n:03}", "product": ref} for n, ref in enumerate(made_up * 19)]
    search = {"id": "a-search-1", "kind": "search", "text": "mug"}
    assert report(client, VIEW, search, *events).json() == {"taken": 2, "dropped": 95}
    assert set(Event.objects.values_list("product", flat=True)) == {"demo_shop.product:1", ""}
    with django_assert_max_num_queries(10) as asked:
        report(client, *({**one, "id": "again-" + one["id"]} for one in events))
    looked_up = [one for one in asked.captured_queries if "demo_shop_product" in one["sql"]]
    assert len(looked_up) == 1


def test_while_products_cannot_be_looked_up_events_are_taken(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    agree(client)

    def fails(self: Catalogue, object_ids: Any) -> list[str]:
        raise OperationalError("the database is locked")

    monkeypatch.setattr(Catalogue, "existing", fails)
    assert report(client, VIEW).json() == {"taken": 1, "dropped": 0}


def test_a_body_larger_than_any_beacon_is_refused(client: Client) -> None:
    body = b'{"events": [' + b" " * 65_600 + b"]}"
    answer = client.post(API + "events/", body, content_type="application/json")
    assert answer.status_code == 413


def test_the_browsers_clock_is_corrected_and_never_runs_ahead(client: Client) -> None:
    agree(client)
    body = {
        "sent_at": "2031-01-01T12:00:00Z",  # years ahead of ours
        "events": [
            {**VIEW, "at": "2031-01-01T11:59:00Z"},
            {**VIEW, "id": "long-ago-1", "at": "1999-01-01T00:00:00Z"},
        ],
    }
    client.post(API + "events/", body, content_type="application/json")
    first, old = Event.objects.order_by("pk")
    assert (first.received_at - first.at).total_seconds() == pytest.approx(60, abs=2)
    assert (old.received_at - old.at).total_seconds() == 24 * 3600


def test_a_searchs_signed_id_names_its_listing(client: Client) -> None:
    agree(client)
    digits = "0123456789abcdef" * 2
    report(
        client, {**VIEW, "kind": "click", "listing": f"s_{digits}.abcdefghijklmnopqrstuvwxyz", "position": 3}
    )
    assert Event.objects.get().listing == digits


@pytest.mark.parametrize("guess", ["true", 1, "yes", None])
def test_consent_is_never_guessed(client: Client, guess: Any) -> None:
    body = {"purposes": {"improvement": guess}}
    assert client.put(API + "consent/", body, content_type="application/json").status_code == 400
    assert ConsentRecord.objects.count() == 0


def test_a_mistyped_purpose_is_an_error_that_names_the_purposes_and_erases_nothing(client: Client) -> None:
    agree(client)
    body = {"purposes": {"personalization": True}}
    answer = client.put(API + "consent/", body, content_type="application/json")
    assert answer.status_code == 400
    assert "'personalization': no such purpose" in answer.json()["detail"]
    assert all(name in answer.json()["detail"] for name in PURPOSES)
    assert all(client.get(API + "consent/").json()["purposes"].values())
    assert not PrivacyLog.objects.exists()


@pytest.mark.parametrize("body", [{}, {"purpose": {"improvement": True}}, {"purposes": ["improvement"]}])
def test_a_decision_out_of_shape_decides_nothing(client: Client, body: dict[str, Any]) -> None:
    agree(client)
    assert client.put(API + "consent/", body, content_type="application/json").status_code == 400
    assert all(client.get(API + "consent/").json()["purposes"].values())


@pytest.mark.parametrize("form", [{"do": "save", "purpose": "improvment"}, {"do": "acept"}])
def test_a_form_of_the_shops_own_with_a_slip_in_it_decides_nothing(
    client: Client, form: dict[str, str]
) -> None:
    agree(client)
    answer = client.post("/vision/privacy/", form)
    assert (answer.status_code, b"accept, refuse, save" in answer.content) == (400, True)
    assert all(client.get(API + "consent/").json()["purposes"].values())


@pytest.mark.parametrize("chosen", ["session", "consent"])
def test_erasing_nothing_gives_no_receipt_and_leaves_no_row(client: Client, mode: Any, chosen: str) -> None:
    mode(chosen)
    for _ in range(3):
        answer = client.delete(API + "me/").json()
        assert (answer["receipt"], set(answer["counts"].values())) == (None, {0})
    assert not PrivacyLog.objects.exists()
