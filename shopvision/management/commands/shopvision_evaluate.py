"""Measure quality on real data, through the real code, in a throw-away database."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...exceptions import ShopvisionError
from ..retrieval import evaluate


class Command(BaseCommand):
    """``shopvision_evaluate retrieval --data DIR``: index, tune on the catalogue's own photos, search."""

    help = "Evaluate on a catalogue folder (products.csv, queries.csv); the shop's own data is not touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["retrieval"])
        parser.add_argument("--data", required=True, type=Path, help="catalogue folder")
        parser.add_argument("--no-tune", action="store_true", help="leave the encoder untuned, to compare")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            answer = evaluate(options["data"].resolve(), tune=not options["no_tune"], say=self._say)
        except ShopvisionError as error:
            raise CommandError(str(error)) from error
        answer = {"data": options["data"].name, **answer}
        self.stdout.write(json.dumps(answer) if options["json"] else _table(answer))

    def _say(self, words: str) -> None:
        self.stderr.write(f"evaluating: {words}")


def _table(answer: dict[str, Any]) -> str:
    lines = []
    for key, value in answer.items():
        if isinstance(value, dict):
            value = "  ".join(f"{name} {number}" for name, number in value.items())
        lines.append(f"{key:22} {value}")
    return "\n".join(lines)
