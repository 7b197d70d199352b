from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from drf_spectacular.validation import validate_schema
from jsonschema import Draft4Validator

from shopvision.api.schema import openapi
from tests.api import golden
from tests.api.conftest import SEARCH, Backend

PATHS = {
    "/api/v1/search/": {"post"},
    "/api/v1/searches/{id}/": {"get", "delete"},
    "/api/v1/products/{ref}/similar/": {"get"},
    "/api/v1/rerank/": {"post"},
    "/api/v1/recommendations/": {"get"},
    "/api/v1/classify/": {"post"},
    "/api/v1/jobs/": {"get", "post"},
    "/api/v1/jobs/{id}/": {"get"},
    "/api/v1/jobs/{id}/cancel/": {"post"},
    "/api/v1/jobs/{id}/resume/": {"post"},
    "/api/v1/jobs/{id}/undo/": {"post"},
    "/api/v1/predictions/": {"get"},
    "/api/v1/predictions/{id}/accept/": {"post"},
    "/api/v1/predictions/{id}/reject/": {"post"},
    "/api/v1/predictions/{id}/correct/": {"post"},
    "/api/v1/duplicates/": {"get"},
    "/api/v1/events/": {"post"},
    "/api/v1/consent/": {"get", "put"},
    "/api/v1/me/": {"get", "delete"},
    "/api/v1/health/live/": {"get"},
    "/api/v1/health/ready/": {"get"},
    "/api/v1/status/": {"get"},
    "/api/v1/metrics/": {"get"},
    "/api/v1/schema/": {"get"},
}


def test_schema_is_the_golden_one() -> None:
    """Changed on purpose? ``python -m tests.api.golden`` writes it anew."""
    assert golden.text(openapi()) == golden.PATH.read_text()


def test_schema_is_valid_openapi_and_complete() -> None:
    schema = openapi()
    validate_schema(schema)
    described = {path: set(methods) for path, methods in schema["paths"].items()}
    assert described == PATHS


def test_every_operation_says_what_it_does_and_how_it_fails() -> None:
    for path, methods in openapi()["paths"].items():
        for method, operation in methods.items():
            assert operation["description"], (path, method)
            codes = set(operation["responses"])
            assert codes & {"200", "202", "204"}
            assert "health" in path or "429" in codes


def test_schema_names_the_place_where_the_shop_mounted_us(client: Client) -> None:
    response = client.get("/vision/api/v1/schema/")
    assert response.status_code == 200
    assert response.json()["servers"] == [{"url": "/vision"}]


def resolved(schema: dict[str, Any], node: Any) -> Any:
    """JSON schema of an OpenAPI 3.0 node: references followed, ``nullable`` spelt out."""
    if isinstance(node, list):
        return [resolved(schema, part) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return resolved(schema, schema["components"]["schemas"][node["$ref"].rpartition("/")[2]])
    plain = {key: resolved(schema, value) for key, value in node.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") else plain


@pytest.mark.parametrize("limit", [3, 100])
def test_an_answer_keeps_to_the_schema(client: Client, backend: Backend, limit: int) -> None:
    body = client.post(SEARCH, {"image": SimpleUploadedFile("p.jpg", b"x"), "limit": limit}).json()
    schema = openapi()
    answer = resolved(schema, {"$ref": "#/components/schemas/ListingAnswer"})
    Draft4Validator(answer).validate(body)
    assert set(body) == set(answer["properties"])
    assert set(body["results"][0]) == set(answer["properties"]["results"]["items"]["properties"])
