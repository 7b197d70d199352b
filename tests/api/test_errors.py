"""Every code that is raised has its status, and stands in the schema and in the reference."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pytest
from django.utils.translation import override
from rest_framework.exceptions import ValidationError

from shopvision import api
from shopvision.api.errors import REQUEST_STATUS, answer_error
from shopvision.api.schema import openapi
from shopvision.api.serializers import SearchRequest
from shopvision.api.serializers_events import EventsRequest
from shopvision.api.serializers_ranking import RerankRequest
from shopvision.api.views.base import checked
from shopvision.exceptions import ImageRejected, InvalidRequest

PACKAGE = Path(api.__file__).parents[1]
REFERENCE = (PACKAGE.parent / "docs/reference/rest.md").read_text()
RAISED = re.compile(r'InvalidRequest\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*?code="(\w+)"', re.DOTALL)


def raised() -> set[str]:
    """Codes of ``InvalidRequest`` in our sources."""
    return {code for file in PACKAGE.rglob("*.py") for code in RAISED.findall(file.read_text())}


def test_the_codes_are_found() -> None:
    assert {"no_torch", "not_found", "too_few_labels", "unknown_job", "decided"} <= raised()


@pytest.mark.parametrize("code", sorted(raised()))
def test_a_code_has_the_status_that_the_reference_and_the_schema_name(code: str) -> None:
    answer = answer_error(InvalidRequest("words", code=code), {})
    assert answer is not None
    assert answer.status_code == REQUEST_STATUS.get(code, 400)
    row = next(line for line in REFERENCE.splitlines() if line.startswith(f"| {answer.status_code} |"))
    assert f"`{code}`" in row
    described = {
        words["description"]
        for methods in openapi()["paths"].values()
        for operation in methods.values()
        for status, words in operation["responses"].items()
        if status == str(answer.status_code)
    }
    assert any(f"`{code}`" in words for words in described)


def test_a_missing_extra_is_no_fault_of_the_request() -> None:
    assert REQUEST_STATUS["no_torch"] == 409


EVENT = {"id": "abcdefgh", "kind": "view", "product": "shop.product:1"}


@pytest.mark.parametrize(
    ("kind", "given", "words"),
    [
        (
            RerankRequest,
            {"products": ["shop.product:1", "no-colon"]},
            "products[1]: 'no-colon' names no product",
        ),
        (SearchRequest, {"product": "shop.product:1", "category": ["12", ""]}, "category[1]: "),
        (EventsRequest, {"events": [EVENT, {**EVENT, "position": -1}]}, "events[1].position: "),
        (EventsRequest, {"events": [EVENT, 4]}, "events[1]: "),
        (EventsRequest, {"events": []}, "events: "),
    ],
)
def test_what_is_wrong_in_a_list_is_named_with_the_lists_field(kind: Any, given: Any, words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        checked(kind, given)
    answer = answer_error(raised.value, {})
    assert answer is not None
    assert answer.data["detail"].startswith(words)


@pytest.mark.parametrize("id", ["abcdefgh\n", "\nabcdefgh", " abcdefgh", "abcdefg", "abcdéfgh", "a" * 65])
def test_an_events_id_is_taken_as_it_is_or_not_at_all(id: str) -> None:
    with pytest.raises(ValidationError, match="it takes 8 to 64 of"):
        checked(EventsRequest, {"events": [{**EVENT, "id": id}]})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ImageRejected("empty", "photo_file_empty"), "文件是空的；请选择一张照片"),
        (
            ImageRejected("too_large", "photo_file_over_limit", most="1,000"),
            "文件超过 1,000 字节；请上传更小的照片",
        ),
        (InvalidRequest("photo_missing", code="empty"), "请先选择一张照片"),
        (ImageRejected("truncated", "100% of it is gone"), "100% of it is gone"),
    ],
)
def test_an_error_is_said_in_the_language_of_the_request_and_its_code_is_not(error: Any, words: str) -> None:
    with override("zh-hans"):
        answer = answer_error(pickle.loads(pickle.dumps(error)), {})
    assert answer is not None
    assert (answer.data["detail"], answer.data["code"]) == (words, error.code)
