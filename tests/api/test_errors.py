"""Every code that is raised has its status, and stands in the schema and in the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shopvision import api
from shopvision.api.errors import REQUEST_STATUS, answer_error
from shopvision.api.schema import openapi
from shopvision.exceptions import InvalidRequest

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
