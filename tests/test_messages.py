"""Messages are codes with parameters; every code has words in every language we ship."""

from __future__ import annotations

import ast
import gettext
import pickle
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from shopvision.exceptions import ImageRejected, InvalidRequest, TemporaryFailure
from shopvision.jobs import Job, JobError
from shopvision.messages import Message, error_message, register, registered, translated, translated_data

ROOT = Path(__file__).resolve().parents[1] / "shopvision"
ERRORS = {
    "EncoderUnavailable",
    "ImageRejected",
    "IndexUnavailable",
    "InvalidRequest",
    "Misconfigured",
    "TemporaryFailure",
    "WrongEncoder",
}
NOT_PARAMETERS = {"code", "retry_after_seconds"}
VALUE = re.compile(r"%\((\w+)\)s")
CODE = re.compile(r"[a-z][a-z0-9_]+")


def used() -> Iterator[tuple[str, str, set[str] | None]]:
    """Every message raised or made in the package: place, code, names of its parameters (None: not written out)."""
    for path in sorted(ROOT.rglob("*.py")):
        if path.name in ("exceptions.py",) or "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func)
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            if name in ERRORS:
                first = node.args[1] if name == "ImageRejected" else node.args[0]
                given = {one.arg for one in node.keywords if one.arg} - NOT_PARAMETERS
                yield place, _literal(first), given
            elif name == "Message":
                keys = _keys(node.args[1]) if len(node.args) > 1 else set()
                for code in _choices(node.args[0]):
                    yield place, code, keys


def _literal(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)


def _choices(node: ast.expr) -> list[str]:
    if isinstance(node, ast.IfExp):
        return [*_choices(node.body), *_choices(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


def _keys(node: ast.expr) -> set[str] | None:
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        return {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
    return None


def test_every_message_raised_or_made_is_a_registered_code_with_its_parameters() -> None:
    known = registered()
    wrong = []
    count = 0
    for place, code, given in used():
        count += 1
        if code not in known:
            wrong.append(f"{place}: {code!r} is not registered")
        elif given is not None and given != set(VALUE.findall(known[code])):
            wrong.append(f"{place}: {code} takes {sorted(VALUE.findall(known[code]))}, given {sorted(given)}")
    assert wrong == []
    assert count > 200


def test_a_step_of_long_work_yields_messages_only() -> None:
    wrong = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            texts: list[ast.expr | None] = []
            if isinstance(node, ast.Yield):
                texts = [node.value] if path.parts[-2] in ("tuning", "classification", "training") else []
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "Step":
                texts = [one.value for one in node.keywords if one.arg == "message"]
            wrong += [
                f"{path.name}:{node.lineno}"
                for text in texts
                if isinstance(text, ast.JoinedStr) or isinstance(getattr(text, "value", None), str)
            ]
    assert wrong == []


def test_every_code_is_used() -> None:
    sources = "\n".join(
        path.read_text() for path in ROOT.rglob("*.py") if path.name != "messages.py" or path.parent == ROOT
    )
    unused = [code for code in registered() if f'"{code}"' not in sources and not code.startswith("order_")]
    assert unused == []


@pytest.mark.parametrize("code", sorted(registered()))
def test_a_code_says_what_it_means_and_has_words_in_every_language(code: str) -> None:
    template = registered()[code]
    assert CODE.fullmatch(code)
    for language in sorted(path.parent.parent.name for path in (ROOT / "locale").glob("*/LC_MESSAGES/*.mo")):
        with (ROOT / "locale" / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
            words = gettext.GNUTranslations(file)._catalog.get(template)  # type: ignore[attr-defined]
        assert words or not re.search("[a-z]{2}", VALUE.sub("", template)), language
        assert sorted(VALUE.findall(words or template)) == sorted(VALUE.findall(template)), language


def test_a_message_is_said_in_the_readers_language() -> None:
    found = Message("too_few_photos_to_tune", {"count": 3, "min_photos": 40})
    assert str(found) == "3 photos are described; tuning takes 40 or more"
    with translation.override("zh-hans"):
        assert "3" in str(found)
        assert not str(found).isascii()


def test_a_message_within_a_message_is_translated_too() -> None:
    found = Message("worse", {"why": Message("nothing_applied")})
    assert str(found) == "worse: it has applied nothing"
    assert Message.from_json(found.to_json()) == found
    assert translated(found.to_json()) == str(found)
    assert translated_data({"a": [found.to_json(), 1], "b": {"c": None}}) == {
        "a": [str(found), 1],
        "b": {"c": None},
    }


def test_a_code_nobody_registered_shows_itself_and_its_values() -> None:
    assert str(Message("made_elsewhere", {"count": 3})) == "made_elsewhere (count=3)"
    assert translated(None) == ""


def test_a_code_has_one_template() -> None:
    with pytest.raises(Exception, match="nothing_applied"):
        register({"nothing_applied": "other words"})


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("unknown_job_kind", code="unknown_job", name="x", names="a, b"),
        ImageRejected("too_large", "photo_file_over_limit", most="5"),
        TemporaryFailure("no_photo_readable", retry_after_seconds=7, count=2, reason="down"),
    ],
)
def test_an_error_survives_pickling(error: Any) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.code, str(again)) == (
        type(error),
        error.message,
        error.code,
        str(error),
    )


def test_an_error_of_somebody_elses_is_shown_with_its_type() -> None:
    assert str(error_message(KeyError("x"))) == "KeyError: 'x'"


@pytest.mark.django_db
def test_a_column_holds_a_message_or_nothing() -> None:
    job = Job.objects.create(kind="tune", message=Message("indexing"))
    JobError.objects.create(job=job, item="a", message=Message("left_changed_since"))
    job.refresh_from_db()
    assert job.message == Message("indexing")
    assert str(job.errors.get().message) == "left alone: the shop has changed it since"
    Job.objects.update(message=None)
    job.refresh_from_db()
    assert job.message is None
    assert Job.objects.filter(message__isnull=True).count() == 1
