"""Fit the embedding to the shop's own photos."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from ...exceptions import ShopvisionError
from ...tuning.tuner import tune
from ..job_command import ReadyCommand


class Command(ReadyCommand):
    """Fit, judge on photos held out, promote if better; the release before stays for rolling back."""

    help = "Tune the encoder to the catalogue's own photos; goes live only if it finds more."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="judge only, promote nothing")
        parser.add_argument("--force", action="store_true", help="promote even if it finds no more")
        parser.add_argument(
            "--from-clicks",
            action="store_true",
            help="learn from photo searches and the products chosen of them, too; judged by those held out",
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        quiet = options["json"]
        try:
            row = tune(
                progress=(lambda _: None) if quiet else lambda now: self.stderr.write(str(now)),
                dry_run=options["dry_run"],
                force=options["force"],
                clicks=options["from_clicks"],
            )
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        answer = {"release": str(row), "state": row.state, "precision": row.precision, **row.metrics}
        self.stdout.write(json.dumps(answer) if quiet else _words(answer))


def _words(answer: dict[str, Any]) -> str:
    before = answer.get("compared_with", {})
    judged = answer.get("judged_on", {})
    state = "was not promoted" if answer["state"] == "failed" else f"is {answer['state']}"
    return (
        f"{answer['release']} {state}: recall@1 {answer.get('recall@1')} on {judged.get('queries')} "
        f"held-out {judged.get('kind')}, {before.get('release')} {before.get('recall@1')}"
    )
