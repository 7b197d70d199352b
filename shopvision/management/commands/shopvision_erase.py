"""Erase the data of a user or visitor."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from ...privacy.erasure import erase, what_is_kept
from ...types import Subject
from ..job_command import ReadyCommand


class Command(ReadyCommand):
    """Visitors erase themselves on the privacy page; this is for whoever asks by letter."""

    help = "Erase all that is kept of a user or visitor; prints the receipt."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_subject(parser)
        parser.add_argument("--dry-run", action="store_true", help="only count")

    def handle(self, *args: Any, **options: Any) -> None:
        subject = subject_in(options)
        if options["dry_run"]:
            answer: dict[str, Any] = {"dry_run": True, "counts": what_is_kept(subject)}
        else:
            answer = erase(subject, source="command").as_dict()
        found = any(answer["counts"].values())
        if not (found or exists(subject)):
            raise CommandError(
                f"there is no user with the key {subject.user_id!r} and nothing is kept under it: nothing was erased"
            )
        if options["json"]:
            self.stdout.write(json.dumps(answer))
            return
        self.stdout.write(", ".join(f"{number} {name}" for name, number in answer["counts"].items()))
        if not found:
            self.stdout.write("nothing is kept, so there is no receipt")
        elif not options["dry_run"]:
            self.stdout.write(f"receipt {answer['receipt']}")


def add_subject(parser: ArgumentParser) -> None:
    """Options that name a subject."""
    parser.add_argument("--user", default="", help="primary key of a user")
    parser.add_argument(
        "--visitor", default="", help="key of a visitor, from the visitor's own copy of the data"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def subject_in(options: dict[str, Any]) -> Subject:
    """The subject the options name; the key of a user in the spelling that rows are named by.

    Raises:
        CommandError: they name none.
    """
    if not (options["user"] or options["visitor"]):
        raise CommandError("name somebody: --user PRIMARY_KEY or --visitor KEY")
    user = _user(options["user"])
    return Subject(str(user.pk) if user else options["user"], options["visitor"])


def exists(subject: Subject) -> bool:
    """False for the key of a user that there is not; of visitors, nobody knows."""
    return bool(subject.visitor) or _user(subject.user_id) is not None


def _user(key: str) -> Any:
    try:
        return get_user_model()._base_manager.filter(pk=key).first() if key else None
    except (ValueError, TypeError, OverflowError, ValidationError):  # no key of this user model
        return None
