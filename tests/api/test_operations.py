from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from shopvision import metrics
from shopvision.search import status

API = "/vision/api/v1/"


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the shop's state is said to be."""
    serving: dict[str, Any] = {"ok": True, "detail": "", "count": 12}
    counts = {
        "products": {"indexed": 4, "pending": 1},
        "photos": {"indexed": 12},
        "waiting": 3,
        "set_aside": 0,
        "oldest_waiting_seconds": 1.5,
    }
    monkeypatch.setattr(status, "serving", lambda: serving)
    monkeypatch.setattr(status, "counts", lambda: counts)
    monkeypatch.setattr(status, "drift_known", lambda: {"total": 2})
    monkeypatch.setattr(status, "overview", lambda: {"counts": counts, "serving": serving})
    return serving


def visitor(**flags: bool) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_user("ann", password="x", **flags))
    return client


def test_live_touches_no_database(client: Client) -> None:
    """Without the ``db`` fixture a query would fail the test."""
    response = client.get(API + "health/live/")
    assert (response.status_code, response.json()) == (200, {"status": "live"})


def test_ready_follows_the_index(client: Client, numbers: dict[str, Any]) -> None:
    assert client.get(API + "health/ready/").json() == {"status": "ready"}
    numbers.update(ok=False, detail="no release is live")
    response = client.get(API + "health/ready/")
    assert response.status_code == 503
    assert response.json() == {"detail": "no release is live", "code": "warming"}
    assert response["Retry-After"] == "5"


@pytest.mark.parametrize("what", ["status/", "metrics/"])
def test_operators_pages_are_for_who_may_see_the_overview(
    db: None, client: Client, numbers: dict[str, Any], what: str
) -> None:
    stranger = client.get(API + what)
    assert (stranger.status_code, stranger.json()["code"]) == (401, "not_authenticated")
    assert stranger["WWW-Authenticate"] == "Session"
    packer = visitor(is_staff=True)
    refused = packer.get(API + what)
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    get_user_model().objects.get().user_permissions.add(Permission.objects.get(codename="view_overview"))
    assert packer.get(API + what).status_code == 200


def test_a_superuser_sees_the_overview(db: None, numbers: dict[str, Any]) -> None:
    body = visitor(is_superuser=True).get(API + "status/").json()
    assert body["counts"]["products"] == {"indexed": 4, "pending": 1}
    assert body["classification"] == {
        "waiting": 0,
        "decided_week": 0,
        "applied_week": 0,
        "agreement": None,
        "live": [],
    }


def test_somebody_put_out_of_office_sees_nothing_more(db: None, numbers: dict[str, Any]) -> None:
    client = visitor(is_superuser=True)
    get_user_model().objects.update(is_active=False)
    assert client.get(API + "status/").status_code == 401


def test_metrics_are_prometheus_text(db: None, numbers: dict[str, Any]) -> None:
    metrics.reset()
    metrics.count("search_queue_full", 2)
    response = visitor(is_superuser=True).get(API + "metrics/")
    lines = response.content.decode().splitlines()
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    for line in (
        "shopvision_search_queue_full_total 2.0",
        'shopvision_products{state="indexed"} 4.0',
        "shopvision_changes_waiting 3.0",
        "shopvision_oldest_change_seconds 1.5",
        "shopvision_ready 1.0",
        "shopvision_drift 2.0",
        "shopvision_index_photos 12.0",
    ):
        assert line in lines


@pytest.mark.parametrize("what", ["health/live/", "health/ready/", "schema/", "status/", "metrics/"])
def test_what_is_read_only_refuses_writes(client: Client, numbers: dict[str, Any], what: str) -> None:
    response = client.post(API + what, {})
    assert response.status_code in (401, 405)
    assert set(response.json()) == {"detail", "code"}
