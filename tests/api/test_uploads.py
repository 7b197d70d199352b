import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, override_settings

from shopvision.api.throttles import VisitorThrottle, search_slot
from tests.api.conftest import SEARCH, Backend
from tests.settings import SHOPVISION

SMALL = {**SHOPVISION, "MAX_UPLOAD_BYTES": 1000}


def send(client: Client, size: int) -> Any:
    return client.post(SEARCH, {"image": SimpleUploadedFile("p.jpg", b"x" * size)})


def test_a_body_that_announces_too_much_is_refused_unread(client: Client, backend: Backend) -> None:
    class Unreadable:
        def read(self, *args: Any) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    for content_type in ("multipart/form-data; boundary=x", "application/json", "text/plain", ""):
        response = client.generic(
            "POST",
            SEARCH,
            b"",
            content_type=content_type,
            CONTENT_LENGTH=str(10**10),
            **{"wsgi.input": Unreadable()},
        )
        assert (response.status_code, response.json()["code"]) == (413, "too_large")


@override_settings(SHOPVISION=SMALL)
def test_a_photo_of_one_byte_too_many_is_413(client: Client, backend: Backend) -> None:
    assert send(client, 1000).status_code == 200
    assert send(client, 1001).json()["code"] == "too_large"


@override_settings(SHOPVISION=SMALL)
def test_a_long_json_body_without_a_length_is_cut_off(client: Client, backend: Backend) -> None:
    body = json.dumps({"image": "A" * 100_000})
    response = client.post(SEARCH, body, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (413, "too_large")


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100, FILE_UPLOAD_MAX_MEMORY_SIZE=1, FILE_UPLOAD_HANDLERS=[])
def test_the_shops_upload_limits_do_not_bind_photos(client: Client, backend: Backend) -> None:
    assert send(client, 100_000).status_code == 200
    body = json.dumps({"image": "A" * 100_000})
    assert client.post(SEARCH, body, content_type="application/json").status_code == 200


def test_a_photo_never_becomes_a_temporary_file(client: Client, backend: Backend, monkeypatch: Any) -> None:
    def no_file(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a temporary file was made")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", no_file)
    monkeypatch.setattr("django.core.files.uploadedfile.tempfile.NamedTemporaryFile", no_file)
    assert send(client, 6_000_000).status_code == 200
    assert len(backend.calls[0]["data"]) == 6_000_000


def test_too_many_fields_are_400(client: Client, backend: Backend) -> None:
    response = client.post(SEARCH, {f"f{n}": "1" for n in range(2000)})
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


@override_settings(SHOPVISION={**SHOPVISION, "SEARCH_MAX_IN_FLIGHT": 2})
def test_a_full_process_says_so_and_recovers(client: Client, backend: Backend) -> None:
    with search_slot(), search_slot():
        response = send(client, 10)
        assert (response.status_code, response.json()["code"]) == (503, "queue_full")
        assert response["Retry-After"] == "1"
    assert send(client, 10).status_code == 200


@override_settings(SHOPVISION={**SHOPVISION, "SEARCH_MAX_IN_FLIGHT": 1})
def test_a_failed_search_gives_its_place_back(client: Client, backend: Backend) -> None:
    backend.fails = KeyError("a bug")
    for _ in range(3):
        with pytest.raises(KeyError):
            send(client, 10)
    backend.fails = None
    assert send(client, 10).status_code == 200


@override_settings(SHOPVISION={**SHOPVISION, "RATES": {"search": "2/min", "browse": "3/min"}})
def test_rates_are_kept_apart_and_say_when_to_come_back(client: Client, backend: Backend) -> None:
    similar = "/vision/api/v1/products/a.b:1/similar/"
    assert [send(client, 10).status_code for _ in range(3)] == [200, 200, 429]
    assert [client.get(similar).status_code for _ in range(4)] == [200, 200, 200, 429]
    response = send(client, 10)
    assert response.json()["code"] == "throttled"
    assert 1 <= int(response["Retry-After"]) <= 60
    assert client.get("/vision/api/v1/health/live/").status_code == 200


@override_settings(SHOPVISION={**SHOPVISION, "RATES": {"search": "2/min", "browse": "1/min"}})
def test_on_the_page_photos_count_as_photos_and_the_empty_form_as_nothing(
    client: Client, backend: Backend
) -> None:
    page = "/vision/photo/"
    assert {client.get(page).status_code for _ in range(5)} == {200}
    form = [client.post(page, {"image": SimpleUploadedFile("p.jpg", b"x")}).status_code for _ in range(3)]
    assert form == [200, 200, 429]
    assert [client.get(page, {"product": "a.b:1"}).status_code for _ in range(2)] == [200, 429]
    assert client.get(page).status_code == 200


@override_settings(SHOPVISION={**SHOPVISION, "RATES": {"search": "1/min"}})
def test_visitors_have_rates_of_their_own(backend: Backend) -> None:
    assert send(Client(REMOTE_ADDR="10.0.0.1"), 10).status_code == 200
    assert send(Client(REMOTE_ADDR="10.0.0.2"), 10).status_code == 200
    assert send(Client(REMOTE_ADDR="10.0.0.1"), 10).status_code == 429


@pytest.mark.django_db
def test_the_cache_names_neither_addresses_nor_users(
    client: Client, backend: Backend, monkeypatch: pytest.MonkeyPatch, django_user_model: Any
) -> None:
    keys: list[str] = []
    monkeypatch.setattr(VisitorThrottle.cache, "set", lambda key, *rest, **_: keys.append(key))
    user = django_user_model.objects.create_user("77")
    for signed_in in (None, user):
        if signed_in:
            client.force_login(signed_in)
        for address in ("203.0.113.77", "203.0.113.78"):
            client.get("/vision/api/v1/products/a.b:1/similar/", REMOTE_ADDR=address)
    assert keys[0] != keys[1] and keys[2] == keys[3] not in keys[:2]  # by address, then by user
    assert {re.sub("[0-9a-f]{64}", "DIGEST", key) for key in keys} == {"shopvision:browse:DIGEST"}
